"""Identifiers: those that we make, and those that a caller may choose."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.ids import MAX_FREE_ID, MAX_RESOURCE_ID, free_id_problem, new_id, new_token, resource_id_problem

SDK_RULE = re.compile(r"\A[0-9A-Za-z]+([-_][0-9A-Za-z]+)*\Z")
"""What the official SDK lets its users choose."""


@pytest.mark.parametrize("make", [new_id, new_token])
def test_a_new_one_is_32_hexadecimal_digits_and_never_the_same(make: object) -> None:
    assert callable(make)
    made = {make() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[0-9a-f]{32}", i) for i in made)


def test_what_we_make_a_caller_may_choose() -> None:
    assert resource_id_problem(new_id()) is None
    assert free_id_problem(new_id()) is None


@given(st.from_regex(SDK_RULE).filter(lambda i: len(i) <= MAX_RESOURCE_ID))
def test_whatever_the_sdk_allows_is_legal(value: str) -> None:
    assert resource_id_problem(value) is None


@pytest.mark.parametrize("value", ["general-v1.5-concept", "a" * MAX_RESOURCE_ID, "A_b-c.9", "trailing-", "a--b"])
def test_ids_of_resources_that_are_legal(value: str) -> None:
    assert resource_id_problem(value) is None


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "empty"),
        ("a" * (MAX_RESOURCE_ID + 1), f"{MAX_RESOURCE_ID} at most"),
        ("-a", "beginning with"),
        (".a", "beginning with"),
        ("a b", "not legal"),
        ("a/b", "not legal"),
        ("..", "not legal"),
        ("ä", "not legal"),
        ("a\n", "not legal"),
    ],
)
def test_ids_of_resources_that_are_not(value: str, why: str) -> None:
    assert why in (resource_id_problem(value) or "")


@given(st.text(min_size=1))
def test_an_id_of_a_resource_never_needs_escaping(value: str) -> None:
    if resource_id_problem(value) is None:
        assert re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]*", value)


@given(st.text(min_size=1, max_size=MAX_FREE_ID))
def test_any_printable_text_is_a_free_id(value: str) -> None:
    legal = value.isprintable() and value == value.strip()
    assert (free_id_problem(value) is None) == legal


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "empty"),
        ("a" * (MAX_FREE_ID + 1), f"{MAX_FREE_ID} at most"),
        (" a", "white space"),
        ("a\t", "white space"),
        ("a\x00b", "can't be printed"),
        ("a\nb", "can't be printed"),
    ],
)
def test_free_ids_that_are_not_legal(value: str, why: str) -> None:
    assert why in (free_id_problem(value) or "")
