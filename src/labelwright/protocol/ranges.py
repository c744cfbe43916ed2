"""Conditions and ranges of a GET: whether the client has it already, and which part of it is asked for."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class Unsatisfiable(Exception):
    """The range lies beyond the end."""


def http_date(seconds: int) -> str:
    """A time in seconds since 1970 as HTTP writes it."""
    return email.utils.formatdate(seconds, usegmt=True)


def is_unchanged(headers: Mapping[str, str], etag: str, modified: int) -> bool:
    """Whether the client's copy is this one, by ``if-none-match`` or else by ``if-modified-since``.

    Args:
        etag: with its quotes.
        modified: seconds since 1970.
    """
    if (tags := headers.get("if-none-match")) is not None:
        given = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return tags.strip() == "*" or etag in given
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and modified <= since


def wanted_range(headers: Mapping[str, str], size: int, etag: str, modified: int) -> tuple[int, int] | None:
    """The bytes that a GET asks for, as start and end (exclusive); None where it is to have all.

    Several ranges at once, and what is no range, are answered with all, as HTTP allows.

    Raises:
        Unsatisfiable: none of ``size`` bytes are in the range.
    """
    found = _ONE_RANGE.fullmatch(headers.get("range", ""))
    if found is None or found.groups() == ("", "") or not _is_same(headers.get("if-range"), etag, modified):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise Unsatisfiable
    return start, end


def _is_same(condition: str | None, etag: str, modified: int) -> bool:
    if condition is None:
        return True
    return condition.strip() == etag or _seconds(condition) == modified


def _seconds(date: str | None) -> int | None:
    try:
        return int(email.utils.parsedate_to_datetime(date or "").timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
