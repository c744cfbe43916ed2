"""What listings share: finding resources by words and wild cards, and the order asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from labelwright.errors import InvalidRequest

T = TypeVar("T")

BATCH = 500
"""Rows that are read at a time where what is filtered by lies in their messages."""

MAX_TEXT = 1024
"""Characters of a text that a listing searches for: 6 MB of words took 34 s over some 40 models."""


def check_lengths(request: Any, *fields: str) -> None:
    """Refuse texts to search for that are too long.

    Raises:
        InvalidRequest: one of the request's fields holds such a text.
    """
    for field in fields:
        if (length := len(getattr(request, field))) > MAX_TEXT:
            raise InvalidRequest(f"{field} has {length} characters; {MAX_TEXT} at most are legal")


def like(text: str, pattern: str) -> bool:
    """Whether a text is the pattern, where ``*`` stands for any characters; case does not count."""
    # Not fnmatch: compiling a pattern of 300 kB took it 6 s, and it keeps 32,768 of them.
    text = text.casefold()
    first, *middle = pattern.casefold().split("*")
    if not middle:
        return text == first
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def searched(texts: Iterable[str], keywords: str) -> bool:
    """Whether each of the keywords begins a word of the texts; case does not count."""
    text = " ".join(texts).casefold()
    # An id such as general-image_v2 is one word, and so are its parts.
    words = [*text.split(), *re.findall(r"[^\W_]+", text)]
    return all(any(w.startswith(k) for w in words) for k in keywords.casefold().split())


def queried(texts: Iterable[str], query: str) -> bool:
    """Whether the texts hold the query's words, whole; case does not count.

    ``OR`` between words begins an alternative, and a word after ``-`` must not be there.
    """
    text = " ".join(texts).casefold()
    words = {*text.split(), *re.findall(r"[^\W_]+", text)}
    alternatives: list[list[str]] = [[]]
    for term in query.split():
        if term == "OR":
            alternatives.append([])
        else:
            alternatives[-1].append(term.casefold())
    said = [terms for terms in alternatives if terms]
    return not said or any(all(_holds(words, term) for term in terms) for terms in said)


def _holds(words: set[str], term: str) -> bool:
    if term.startswith("-") and len(term) > 1:
        return term[1:] not in words
    return term in words


def every(fetch: Callable[[int, int], Sequence[T]]) -> Iterator[T]:
    """All rows of a listing, of which `BATCH` are in memory at a time.

    Args:
        fetch: gives the rows from an offset on, as many as it is told at most.
    """
    offset = 0
    while rows := fetch(offset, BATCH):
        yield from rows
        if len(rows) < BATCH:
            return
        offset += BATCH


def sliced(rows: Iterable[T], offset: int, limit: int) -> list[T]:
    """One page of rows."""
    return list(islice(rows, offset, offset + limit))


def order_of(request: Any, *keys: str) -> tuple[str, bool]:
    """The key that a listing's ``sort_by_*`` flags name, and whether it ascends.

    Oldest first where none of the keys is asked for: pages then stay the same while resources change. A key
    that is asked for sorts downwards unless ``sort_ascending`` is set.
    """
    asked = next((key for key in keys if getattr(request, f"sort_by_{key}")), None)
    return (asked, bool(request.sort_ascending)) if asked else ("created_at", True)
