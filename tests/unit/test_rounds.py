"""The core of a round: whom to ask about what, and which auto-label replaces which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.training.rounds import AutoLabel, ask, informative, revised, seed_sample, shares, sureness, typical


def some(n: int, d: int = 4, seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_a_seed_sample_is_drawn_by_chance_from_the_pool() -> None:
    pool = np.arange(100, 200)
    drawn = seed_sample(pool, 30, np.random.default_rng(1))
    assert len(set(drawn)) == 30
    assert set(drawn) <= set(pool)
    assert list(drawn) == list(seed_sample(pool, 30, np.random.default_rng(1)))
    assert set(seed_sample(pool, 30, np.random.default_rng(2))) != set(drawn)
    assert len(seed_sample(pool, 1000, np.random.default_rng(1))) == 100


def test_typical_items_are_of_every_sort() -> None:
    """A concept of 2 % is missing among 20 by chance in two draws of three."""
    centres = np.repeat(np.arange(10) * 100.0, [180, *[200] * 8, 20])
    vectors = (centres[:, None] + some(len(centres), 3)).astype(np.float32)
    for seed in range(5):
        rows = typical(np.arange(len(centres)), vectors, 20, np.random.default_rng(seed))
        assert len(set(rows)) == 20
        assert set(centres[rows]) == set(np.unique(centres))


def test_typical_items_of_copies_are_as_many_as_asked_for() -> None:
    with pytest.warns(Warning, match="distinct clusters"):
        rows = typical(np.arange(50), np.ones((50, 3), np.float32), 8, np.random.default_rng(0))
    assert len(set(rows)) == 8


def test_sureness_is_the_lead_over_the_second() -> None:
    scores = np.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2]], np.float32)
    assert sureness(scores) == pytest.approx([0.5, 0.0])
    assert sureness(np.array([[0.3]], np.float32)) == pytest.approx([0.3])


def test_the_least_sure_are_asked_about_first() -> None:
    sure = np.linspace(1, 0, 50)
    chosen = informative(np.arange(50), sure, some(50, 16), 3)
    assert chosen[0] == 49
    assert set(chosen) <= set(range(20, 50))


def test_near_duplicates_are_skipped_while_there_are_others() -> None:
    vectors = some(40, 8)
    vectors[:10] = vectors[0]
    sure = np.arange(40) / 40
    chosen = informative(np.arange(40), sure, vectors, 4)
    assert (chosen < 10).sum() == 1
    everything = informative(np.arange(10), sure, vectors, 8)
    assert len(set(everything)) == 8


@given(
    pool=st.sets(st.integers(0, 79), max_size=80),
    train=st.integers(0, 90),
    verify=st.integers(0, 90),
    seed=st.integers(0, 9),
)
def test_nobody_is_asked_twice_nor_about_what_is_not_in_the_pool(
    pool: set[int], train: int, verify: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.array(sorted(pool), np.int64)
    asked = ask(rows, rng.random(80), some(80), train=train, verify=verify, rng=rng)
    both = [*asked.informative, *asked.random]
    assert len(set(both)) == len(both)
    assert set(both) <= pool
    assert len(asked.random) == min(verify, len(pool))
    assert len(asked.informative) == min(train, len(pool) - len(asked.random))


def test_what_verifies_is_drawn_without_a_look_at_the_model() -> None:
    """Else it would be no evidence: two models, the same generator, the same items."""
    pool, vectors = np.arange(60), some(60)
    one = ask(pool, np.linspace(0, 1, 60), vectors, train=5, verify=20, rng=np.random.default_rng(3))
    other = ask(pool, np.linspace(1, 0, 60), vectors, train=5, verify=20, rng=np.random.default_rng(3))
    assert list(one.random) == list(other.random)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, AutoLabel(1, 1, 0.5), True),
        (AutoLabel(1, 1, 0.05), AutoLabel(2, 2, 0.04), True),
        (AutoLabel(1, 1, 0.05), AutoLabel(2, 2, 0.05), False),
        (AutoLabel(1, 1, 0.05), AutoLabel(2, 2, 0.06), False),
        (AutoLabel(1, 2, 0.05), AutoLabel(2, 2, 0.01), False),
        (AutoLabel(1, 3, 0.05), AutoLabel(2, 2, 0.01), False),
    ],
)
def test_an_auto_label_is_revised_by_a_newer_version_with_a_better_bound(
    before: AutoLabel | None, now: AutoLabel, expected: bool
) -> None:
    assert revised(before, now) is expected


@given(total=st.integers(0, 500), rounds=st.integers(1, 50))
def test_shares_add_up_and_are_even(total: int, rounds: int) -> None:
    parts = shares(total, rounds)
    assert sum(parts) == total
    assert len(parts) == rounds
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


def test_no_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        shares(10, 0)
