"""Splitting rows for cross-validation: every class over all folds, as evenly as its members allow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
_MANY, _FOLDS_OF_MANY = 5000, 3
# Of 20,000 rows, a fold's rest of 13,000 teaches as much as one of 16,000, and a fit takes seconds.


def folds(classes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The fold of each row, 0 to FOLDS - 1 (fewer than FOLDS rows: each row its own; more than 5,000: 3 folds).

    A class with fewer members than folds is missing from some of them, never from the rest of the data, unless it
    has one member alone.
    """
    rng = np.random.default_rng(seed)
    number = min(FOLDS if len(classes) <= _MANY else _FOLDS_OF_MANY, len(classes))
    fold = np.empty(len(classes), np.int64)
    at = 0
    for c in np.unique(classes):
        rows = rng.permutation(np.flatnonzero(classes == c))
        # The next class begins where this one ended: small classes don't all fall into the first folds.
        fold[rows] = (at + np.arange(len(rows))) % number
        at += len(rows)
    return fold
