"""Cluster ids by a fixed code: look-alikes mostly share one, and nothing is learned.

A vector's coarse cell is the direction, out of 16 fixed ones and their opposites, that it points along most (a
cross-polytope code); its fine cell is the same with 16 others. The directions are signs drawn once from a seeded
bit generator whose stream NumPy guarantees, so every process and platform has the same ones.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ModelInvalidArgument

VERSION: Final = 1
"""Raised whenever the same vector would get another id."""

_DIRECTIONS: Final = 16
# 32 coarse cells of 32 fine ones.
_SEED: Final = 20_240_229


def assign(embeddings: NDArray[np.floating[Any]]) -> list[tuple[str, float]]:
    """Give each row its cluster.

    Args:
        embeddings: (n, dimensions), finite; length is ignored, only direction counts. A zero row is "0_0".

    Returns:
        n pairs of an id "coarse_fine", each 0..31, and a score from 0.5 (on the border to the next cluster)
        to 1 (far from any).

    Raises:
        ModelInvalidArgument: the array is not two-dimensional, has no columns, or holds NaN or infinity.
    """
    if embeddings.ndim != 2 or embeddings.shape[1] == 0 or not np.isfinite(embeddings).all():
        raise ModelInvalidArgument(
            f"found embeddings of shape {embeddings.shape}; legal is (rows, dimensions) with at least one "
            f"dimension and finite numbers only"
        )
    rows = embeddings.astype(np.float64)
    length = np.sqrt((rows * rows).sum(1, keepdims=True))
    rows /= np.where(length > 0, length, 1)
    # Rounded, so that sums taken in another order on another machine don't break a tie differently.
    along = np.round(rows @ _directions(rows.shape[1]).T, 6)
    coarse, coarse_score = _cells(along[:, :_DIRECTIONS])
    fine, fine_score = _cells(along[:, _DIRECTIONS:])
    scores = np.minimum(coarse_score, fine_score)
    return [(f"{c}_{f}", float(s)) for c, f, s in zip(coarse.tolist(), fine.tolist(), scores, strict=True)]


def _cells(along: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The strongest signed direction of each row, and its share of the two strongest."""
    strength = np.abs(along)
    best = strength.argmax(1)
    rows = np.arange(len(along))
    cell = best + _DIRECTIONS * (along[rows, best] < 0)
    second, first = np.partition(strength, -2, axis=1)[:, -2:].T
    total = first + second
    share = np.where(total > 0, first / np.where(total > 0, total, 1), 0.5)
    return cell, share


@cache
def _directions(dimensions: int) -> NDArray[np.float64]:
    """(2 * 16, dimensions) of +1 and -1."""
    count = 2 * _DIRECTIONS * dimensions
    words = np.random.PCG64(_SEED).random_raw((count + 63) // 64)
    bits = np.unpackbits(words.astype("<u8").view(np.uint8))[:count]
    return np.where(bits.reshape(2 * _DIRECTIONS, dimensions) > 0, np.float64(1), np.float64(-1))
