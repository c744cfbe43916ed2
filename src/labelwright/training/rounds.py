"""What a round of the loop decides, as values: whom to ask about what, and which auto-label replaces which.

`labelwright loop` asks people with it, `labelwright simulate` asks a set's own labels. Arrays in, values out; the
numbers of items are rows of the caller's arrays. No store, no clock; chance comes from the generator that is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_SHORTLIST: Final = 10
# The least sure, this many for each that is asked about, are looked at for near-duplicates.
_NEAR: Final = 0.02
# Closer than this share of all pairs of the shortlist is a near-duplicate: about two of a hundred asked about.
_CLUSTERED: Final = 5000
# Clusters are looked for among so many: 100 clusters take 2 s.
_MOST_COMPARED: Final = 4000
# Pairs of 4,000 vectors take 64 MB.


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """The items of a round that go to people: rows of the pool that were asked for, no row in both."""

    informative: Ints
    """Least sure first: they train, and are no evidence."""
    random: Ints
    """Drawn by chance from the whole pool before the others were chosen: they verify, and train nothing."""


@dataclass(frozen=True, slots=True)
class AutoLabel:
    """What a model said of an item, and how good its promise was when it said it."""

    concept: int
    version: int
    """The number of the model's version: higher is newer."""
    bound: float
    """The upper bound of the share of mistakes among its labels, 0..1."""


def seed_sample(pool: Ints, count: int, rng: np.random.Generator) -> Ints:
    """The first items to be labelled: at most `count`, drawn by chance."""
    return np.asarray(rng.permutation(pool)[: max(count, 0)], np.int64)


def typical(pool: Ints, vectors: Floats, count: int, rng: np.random.Generator) -> Ints:
    """The first items, chosen so that every sort of item is among them: the middles of `count` clusters.

    Few items drawn by chance leave a concept out: one of ten is missing among 20 in every third draw, and what a
    model has never seen it is not unsure about. They train, and are no evidence.
    """
    some = seed_sample(pool, max(_CLUSTERED, count), rng)
    if len(some) <= count:
        return some
    from sklearn.cluster import KMeans

    x = np.asarray(vectors[some], np.float32)
    seed = int(rng.integers(2**31))
    distances = KMeans(n_clusters=max(count, 1), n_init=1, max_iter=50, random_state=seed).fit(x).transform(x)
    middles = np.unique(distances.argmin(axis=0))
    # Copies may share a middle.
    others = np.setdiff1d(np.arange(len(some)), middles)[: max(count, 0) - len(middles)]
    return np.asarray(some[np.concatenate([middles, others])][: max(count, 0)], np.int64)


def sureness(scores: Floats) -> Floats:
    """How far the best concept of each row (n, c) is ahead of the second, 0..1; with one concept, of 0."""
    if scores.shape[1] == 1:
        return np.asarray(scores[:, 0], np.float32)
    two = np.partition(scores, -2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0], np.float32)


def ask(pool: Ints, sure: NDArray[Any], vectors: Floats, *, train: int, verify: int, rng: np.random.Generator) -> Asked:
    """Choose whom to ask about: `verify` items by chance, then `train` uncertain ones that differ.

    Args:
        pool: (m,) the rows that nobody has labelled.
        sure: (n,) how sure the model is of every row, higher is surer.
        vectors: (n, d) of every row.

    Fewer come where the pool is smaller.
    """
    drawn = seed_sample(pool, verify, rng)
    left = np.setdiff1d(pool, drawn)
    return Asked(informative(left, sure, vectors, train), drawn)


def informative(pool: Ints, sure: NDArray[Any], vectors: Floats, count: int) -> Ints:
    """The `count` least sure rows of the pool, near-duplicates of one another skipped while there are others."""
    if count <= 0 or len(pool) == 0:
        return np.zeros(0, np.int64)
    ordered = pool[np.argsort(sure[pool], kind="stable")]
    listed = ordered[: max(count, min(count * _SHORTLIST, _MOST_COMPARED))]
    if len(listed) <= count:
        return np.asarray(listed, np.int64)
    compared = listed[:_MOST_COMPARED]
    x = vectors[compared].astype(np.float32)
    lengths = (x**2).sum(axis=1)
    apart = np.maximum(lengths[:, None] + lengths - 2 * x @ x.T, 0)
    near = float(np.quantile(apart[np.triu_indices(len(x), 1)][::7], _NEAR)) if len(x) > 2 else 0.0
    taken, skipped = [], []
    blocked = np.zeros(len(x), bool)
    for i in range(len(x)):
        if blocked[i]:
            skipped.append(i)
            continue
        taken.append(i)
        if len(taken) == count:
            break
        blocked |= apart[i] <= near
    chosen = taken + skipped[: count - len(taken)]
    found = compared[np.asarray(chosen, np.int64)]
    if len(found) < count:
        found = np.concatenate([found, listed[len(compared) :][: count - len(found)]])
    return np.asarray(found, np.int64)


def revised(before: AutoLabel | None, now: AutoLabel) -> bool:
    """Whether a new auto-label takes an item: where there is none yet, or from an older version with a worse bound."""
    return before is None or (now.version > before.version and now.bound < before.bound)


def shares(total: int, rounds: int) -> list[int]:
    """A number of questions spread over rounds as evenly as it goes, the first rounds taking what is left over."""
    if rounds < 1:
        raise ValueError(f"{rounds} rounds; legal is 1 or more")
    each, more = divmod(max(total, 0), rounds)
    return [each + (number < more) for number in range(rounds)]
