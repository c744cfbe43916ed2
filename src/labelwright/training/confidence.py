"""How good a confidence is: how much could be labelled by it at an error target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelwright.operators.head_parts import Doubles
from labelwright.training.problems import Floats, Mask


@dataclass(frozen=True, slots=True)
class Ranked:
    """Predictions by confidence, the highest first, and whether each was right."""

    right: NDArray[np.bool_]
    confidence: Doubles
    possible: int
    """How many could be labelled at most; coverage is a share of these."""

    @property
    def accuracy(self) -> float:
        """The share of all that are right."""
        return float(self.right.mean()) if len(self.right) else 0.0

    def coverage(self, error: float) -> float:
        """The largest share, taken from the top, of which no more than ``error`` is wrong.

        A threshold can't part equal confidences: they are taken together or not at all.
        """
        if not len(self.right):
            return 0.0
        wrong = np.cumsum(~self.right)
        count = np.arange(1, len(wrong) + 1)
        whole = np.append(self.confidence[1:] < self.confidence[:-1], True)
        good = np.flatnonzero(whole & (wrong <= error * count))
        return min(1.0, float(good[-1] + 1) / max(self.possible, 1)) if len(good) else 0.0


def rank(scores: Doubles, targets: Floats, known: Mask, exclusive: bool, concepts: int) -> Ranked:
    """Order held-out predictions.

    Exclusive: of each row the concept with the highest score. Else: each known (row, concept), with coverage as a
    share of those that are true, since what is labelled is what is there.
    """
    if exclusive:
        scores = scores[:, :concepts]
        best = scores.argmax(axis=1)
        rows = np.arange(len(scores))
        confidence, right = scores[rows, best], targets[rows, best] > 0
        possible = len(scores)
    else:
        confidence, right = scores[known], targets[known] > 0
        possible = int(right.sum())
    order = np.argsort(-confidence, kind="stable")
    return Ranked(np.asarray(right[order], bool), np.asarray(confidence[order], np.float64), possible)
