"""Labels as what a head is fitted to: columns of yes and no, and what a way of fitting gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelwright.operators.head_parts import Doubles, Part

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Columns to tell apart (exclusive: each row is of one of them), or each to be told by itself."""

    vectors: Floats
    """(n, d)"""
    targets: Floats
    """(n, k) of 1 and 0; 0 where unknown."""
    known: Mask
    """(n, k); all True where exclusive."""
    exclusive: bool
    fold: Rows
    """(n,) the fold in which a row is held out."""
    seed: int

    @property
    def columns(self) -> int:
        """k"""
        return int(self.targets.shape[1])

    @property
    def classes(self) -> Rows:
        """(n,) the column of each row that is of one; of others the first."""
        return np.asarray(self.targets.argmax(axis=1), np.int64)

    def subset(self, rows: Rows) -> Problem:
        """The same of some rows alone."""
        return Problem(
            self.vectors[rows],
            self.targets[rows],
            self.known[rows],
            self.exclusive,
            self.fold[rows],
            self.seed,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A way of fitting: what it made of all rows, and what it said of those held out, before calibration."""

    part: Part
    held_out: Doubles
    """(n, k) logits of each row by a fit that had not seen its fold."""
    about: dict[str, Any] = field(default_factory=dict)
    """Plain JSON for the report: what was chosen within the kind."""


def sample(problem: Problem, most: int) -> Rows:
    """At most so many rows, ascending: each class keeps its share, and small ones one member at least."""
    n = len(problem.vectors)
    if n <= most:
        return np.arange(n)
    rng = np.random.default_rng(problem.seed)
    classes = problem.classes
    # Each class's rows in random order, taken at even steps of its own length.
    place = np.empty(n)
    for c in np.unique(classes):
        rows = rng.permutation(np.flatnonzero(classes == c))
        place[rows] = np.arange(len(rows)) / len(rows)
    return np.sort(np.argsort(place, kind="stable")[:most])
