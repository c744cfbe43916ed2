"""Which concepts can be told from labels, which have examples alone, and which have none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from labelwright.errors import TrainingNoPositives
from labelwright.operators.head_parts import Kernel, Linear, Part
from labelwright.training.problems import Floats, Mask, Rows

_NEVER = -50.0
# The logit of a concept that a part knows nothing of; its score is never looked at.


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """How labels become columns to fit.

    Attributes:
        told: the concepts that have both positive and negative examples, ascending; the number of concepts itself
            stands for "none of them".
        other: whether ``told`` ends with that.
        alone: concepts that have examples and nothing that they are not.
        unseen: concepts without a positive example.
        rows: the rows that train, ascending.
        targets: (rows, told) of 1 and 0.
        known: (rows, told).
    """

    told: Rows
    other: bool
    alone: Rows
    unseen: frozenset[int]
    rows: Rows
    targets: Floats
    known: Mask

    def strata(self) -> Rows:
        """A class for each row so that folds share concepts evenly: its rarest positive one, or none."""
        yes = (self.targets > 0) & self.known
        often = yes.sum(axis=0)
        rarest = np.where(yes, often, np.iinfo(np.int64).max).argmin(axis=1)
        return np.asarray(np.where(yes.any(axis=1), rarest, yes.shape[1]), np.int64)


def columns_of(labels: Floats, exclusive: bool) -> Columns:
    """Sort the concepts of ``labels`` (n, c), of 1, 0 and nan.

    Raises:
        TrainingNoPositives: no concept has a positive example that counts.
    """
    positive, negative = np.asarray(labels > 0, bool), np.asarray(labels == 0, bool)
    if exclusive:
        return _exclusive(positive, negative)
    seen = np.asarray(positive.any(axis=0), bool)
    told = np.flatnonzero(seen & negative.any(axis=0))
    alone = np.flatnonzero(seen & ~negative.any(axis=0))
    known = positive[:, told] | negative[:, told]
    rows = np.flatnonzero(known.any(axis=1))
    targets = positive[np.ix_(rows, told)].astype(np.float32)
    return Columns(told, False, alone, _others(seen), rows, targets, known[rows])


def _exclusive(positive: Mask, negative: Mask) -> Columns:
    # Two concepts that exclude each other can't both be right: such a row teaches neither.
    one = np.flatnonzero(positive.sum(axis=1) == 1)
    has = np.asarray(positive[one].any(axis=0), bool)
    seen = np.flatnonzero(has)
    if not len(seen):
        raise TrainingNoPositives(
            "the concepts exclude each other, and each input that shows one is labelled with another one too; label "
            "inputs with one concept each, or train without concepts_mutually_exclusive"
        )
    none = np.asarray(negative[:, seen].all(axis=1), bool)
    other = bool(none.any())
    rows = np.union1d(one, np.flatnonzero(none))
    targets = positive[np.ix_(rows, seen)].astype(np.float32)
    if other:
        targets = np.column_stack([targets, none[rows].astype(np.float32)])
    if targets.shape[1] < 2:
        empty = np.empty((0, 0), np.float32)
        return Columns(seen[:0], False, seen, _others(has), rows[:0], empty, empty > 0)
    told = np.append(seen, positive.shape[1]) if other else seen
    return Columns(told, other, seen[:0], _others(has), rows, targets, np.ones(targets.shape, bool))


def _others(seen: Mask) -> frozenset[int]:
    return frozenset(np.flatnonzero(~seen).tolist())


def widened(part: Part, columns: Columns, concepts: int) -> Part:
    """The part with a column for each concept (and for none of them), where it was fitted to some."""
    width = concepts + columns.other
    if len(columns.told) == width:
        return part

    def spread(array: Floats, fill: float) -> Floats:
        out = np.full((*array.shape[:-1], width), fill, np.float32)
        out[..., columns.told] = array
        return out

    if isinstance(part, Linear | Kernel):
        return replace(part, weights=spread(part.weights, 0), bias=spread(part.bias, _NEVER))
    return replace(
        part,
        votes=spread(part.votes, 0),
        known=spread(part.known, 1),
        prior=spread(part.prior, 1e-6),
        slope=spread(part.slope, 0),
        bias=spread(part.bias, _NEVER),
    )
