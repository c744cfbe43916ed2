"""Filtering by texts, and pages of what is filtered."""

from __future__ import annotations

import fnmatch
import re

import pytest
from clarifai_grpc.grpc.api.service_pb2 import ListModelsRequest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import InvalidRequest
from labelwright.protocol import text_filters
from labelwright.protocol.text_filters import MAX_TEXT, check_lengths, every, like, queried, searched, sliced

WORDS = st.lists(st.sampled_from(["cat", "dog", "bird", "fish"]), max_size=4)


@pytest.mark.parametrize(
    ("text", "pattern", "is_like"),
    [
        ("General", "gen*", True),
        ("general", "*ERAL", True),
        ("general", "gen", False),
        ("a[b]c", "a[b]*", True),
        ("abc", "a[b]*", False),
        ("abc", "a?c", False),
        ("a?c", "a?c", True),
    ],
)
def test_an_asterisk_is_the_one_wild_card(text: str, pattern: str, is_like: bool) -> None:
    assert like(text, pattern) is is_like


@given(st.text("abA*[?", max_size=8), st.text("abA*[?", max_size=6))
def test_patterns_match_as_regular_expressions_do(text: str, pattern: str) -> None:
    told = ".*".join(re.escape(part) for part in pattern.casefold().split("*"))
    assert like(text, pattern) is bool(re.fullmatch(told, text.casefold(), re.DOTALL))


def test_nothing_is_kept_of_patterns() -> None:
    before = fnmatch._compile_pattern.cache_info().currsize  # type: ignore[attr-defined]
    assert like("x" * 1000, "*".join("x" * 500))
    assert fnmatch._compile_pattern.cache_info().currsize == before  # type: ignore[attr-defined]


def test_texts_to_search_for_are_short() -> None:
    check_lengths(ListModelsRequest(search="x" * MAX_TEXT), "search", "name")
    with pytest.raises(InvalidRequest, match="search has 1025 characters"):
        check_lengths(ListModelsRequest(search="x" * (MAX_TEXT + 1)), "search", "name")


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("", True),
        ("image", True),
        ("IMAGE general", True),
        ("imag", False),
        ("image -general", False),
        ("image -video", True),
        ("video OR image", True),
        ("video image OR general", True),
        ("video OR -image", False),
        ("OR", True),
        ("general-image", True),
    ],
)
def test_words_alternatives_and_words_that_must_not_be_there(query: str, holds: bool) -> None:
    assert queried(["general-image", "recognition"], query) is holds


@given(WORDS, WORDS)
def test_what_holds_whole_words_holds_their_beginnings(texts: list[str], words: list[str]) -> None:
    if queried(texts, " ".join(words)):
        assert searched(texts, " ".join(w[:2] for w in words))


@given(WORDS, WORDS, WORDS)
def test_an_alternative_never_takes_anything_away(texts: list[str], some: list[str], others: list[str]) -> None:
    both = " ".join([*some, "OR", *others])
    if some and others:
        assert queried(texts, both) == (queried(texts, " ".join(some)) or queried(texts, " ".join(others)))


@given(st.lists(st.integers(), max_size=20), st.integers(1, 7), st.integers(0, 30), st.integers(1, 10))
def test_pages_of_what_is_read_in_batches(rows: list[int], batch: int, offset: int, limit: int) -> None:
    asked: list[int] = []

    def fetch(skip: int, most: int) -> list[int]:
        asked.append(skip)
        return rows[skip : skip + most]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(text_filters, "BATCH", batch)
        assert (
            sliced((r for r in every(fetch) if r % 2), offset, limit)
            == [r for r in rows if r % 2][offset : offset + limit]
        )
    assert len(asked) <= len(rows) // batch + 1, "no batch is read twice, and none after the last"
