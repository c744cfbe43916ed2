"""Counts that are kept for a while."""

from __future__ import annotations

from labelwright.protocol.remembered import MANY, MAX_KEPT, SHARE, Remembered


class Counting:
    """A clock, and a count that takes two seconds."""

    def __init__(self, found: int) -> None:
        self.at = 100.0
        self.found = found
        self.made = 0

    def clock(self) -> float:
        return self.at

    def count(self) -> int:
        self.made += 1
        self.at += 2
        return self.found


def test_a_large_count_is_kept_in_proportion_to_what_it_took() -> None:
    counting = Counting(MANY)
    counts = Remembered(counting.clock)
    assert counts.get("a", counting.count, int) == MANY
    counting.found += 1
    counting.at += 2 * SHARE - 0.1
    assert counts.get("a", counting.count, int) == MANY
    assert counts.get("b", counting.count, int) == MANY + 1
    assert counting.made == 2
    assert counts.get("a", counting.count, int) == MANY + 1
    assert counting.made == 3


def test_a_small_count_is_made_anew_and_forgets_what_was_kept() -> None:
    counting = Counting(MANY)
    counts = Remembered(counting.clock)
    counts.get("a", counting.count, int)
    counting.at += 1000
    counting.found = MANY - 1
    assert [counts.get("a", counting.count, int) for _ in range(3)] == [MANY - 1] * 3
    assert counting.made == 4


def test_so_many_are_kept_at_most() -> None:
    counting = Counting(MANY)
    counts = Remembered(counting.clock)
    for i in range(MAX_KEPT + 1):
        counting.at = 100
        counts.get(i, counting.count, int)
    counting.at = 101
    counting.made = 0
    counts.get(1, counting.count, int)
    assert counting.made == 0
    counts.get(0, counting.count, int)
    assert counting.made == 1
