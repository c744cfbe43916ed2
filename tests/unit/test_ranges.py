"""Ranges and conditions of a GET, against what slices of Python say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.protocol.ranges import Unsatisfiable, http_date, is_unchanged, wanted_range

TAG, MODIFIED = '"abc"', 1_700_000_000
DATE = http_date(MODIFIED)


def part(value: str, size: int, **more: str) -> bytes | None:
    """What a client gets of the bytes 0, 1, 2, … with this range; None for all."""
    found = wanted_range({"range": value, **{k.replace("_", "-"): v for k, v in more.items()}}, size, TAG, MODIFIED)
    return None if found is None else bytes(range(size))[slice(*found)]


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_from_first_to_last(size: int, first: int, last: int) -> None:
    whole = bytes(range(size))
    if last < first:
        assert part(f"bytes={first}-{last}", size) is None
    elif first >= size:
        with pytest.raises(Unsatisfiable):
            part(f"bytes={first}-{last}", size)
    else:
        assert part(f"bytes={first}-{last}", size) == whole[first : last + 1]


@given(st.integers(0, 50), st.integers(0, 60))
def test_from_first_on_and_the_last_ones(size: int, number: int) -> None:
    whole = bytes(range(size))
    for value, expected in ((f"bytes={number}-", whole[number:]), (f"bytes=-{number}", whole[max(size - number, 0) :])):
        if expected:
            assert part(value, size) == expected
        else:
            with pytest.raises(Unsatisfiable):
                part(value, size)


@given(st.text(max_size=30))
def test_what_is_no_range_is_all(text: str) -> None:
    assert part(f"x{text}", 10) is None


@pytest.mark.parametrize("value", ["", "bytes=-", "bytes=0-1,3-4", "bytes=5-3", "items=0-1", "bytes=a-b", "bytes=٣-"])
def test_some_that_are_not_served_are_all(value: str) -> None:
    assert part(value, 10) is None


def test_case_and_spaces_do_not_count() -> None:
    assert part("Bytes= 2-3 ", 10) == bytes([2, 3])


@pytest.mark.parametrize(
    ("condition", "same"),
    [(TAG, True), (DATE, True), ('"other"', False), (f"W/{TAG}", False), ("", False), ("x", False)],
)
def test_a_range_of_another_version_is_all(condition: str, same: bool) -> None:
    assert (part("bytes=1-2", 10, if_range=condition) is not None) == same


@pytest.mark.parametrize(
    ("headers", "unchanged"),
    [
        ({}, False),
        ({"if-none-match": TAG}, True),
        ({"if-none-match": f'"x", W/{TAG}'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": ""}, False),
        ({"if-modified-since": DATE}, True),
        ({"if-modified-since": http_date(MODIFIED - 1)}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({"if-modified-since": ""}, False),
        ({"if-none-match": '"x"', "if-modified-since": DATE}, False),
    ],
)
def test_what_a_client_has_already(headers: dict[str, str], unchanged: bool) -> None:
    assert is_unchanged(headers, TAG, MODIFIED) == unchanged
