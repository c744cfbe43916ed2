"""What a head is made of: each part turns vectors into scores, with arrays alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from labelwright.operators.arrays import Floats

Doubles = NDArray[np.float64]

_ROWS = 2048
"""Rows at a time against stored points: 2,048 x 2,000 distances are 16 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A weighted sum for each column.

    ``weights`` is (dimensions, columns), ``bias`` (columns,); with ``unit`` vectors are brought to length 1 first.
    """

    kind: ClassVar[str] = "linear"
    weights: Floats
    bias: Floats
    unit: bool = False

    def shape(self) -> tuple[int, int]:
        """Dimensions and columns; ValueError where the arrays don't fit together."""
        d, c = _matrix(self.weights, "weights")
        _same(self.bias.shape, (c,), "bias")
        return d, c

    def logits(self, vectors: Floats) -> Doubles:
        """(n, columns)"""
        x = unit(vectors) if self.unit else vectors
        return np.asarray(x, np.float64) @ self.weights.astype(np.float64) + self.bias


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """A weighted sum of exp(-gamma * squared distance) to stored points, for each column.

    ``points`` is (m, dimensions), ``weights`` (m, columns), ``bias`` (columns,).
    """

    kind: ClassVar[str] = "kernel"
    points: Floats
    weights: Floats
    bias: Floats
    gamma: float
    unit: bool = False

    def shape(self) -> tuple[int, int]:
        """Dimensions and columns; ValueError where the arrays don't fit together."""
        m, d = _matrix(self.points, "points")
        _, c = _matrix(self.weights, "weights")
        _same(self.weights.shape, (m, c), "weights")
        _same(self.bias.shape, (c,), "bias")
        if not 0 < self.gamma < 1e12:
            raise ValueError(f"gamma is {self.gamma}; legal is a number above 0")
        return d, c

    def logits(self, vectors: Floats) -> Doubles:
        """(n, columns)"""
        x = unit(vectors) if self.unit else vectors
        weights = self.weights.astype(np.float64)
        parts = [
            np.exp(-self.gamma * squared_distances(x[i : i + _ROWS], self.points)) @ weights
            for i in range(0, max(len(x), 1), _ROWS)
        ]
        return np.concatenate(parts) + self.bias


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """A vote of the ``k`` nearest stored points, nearer ones counting more.

    ``points`` is (m, dimensions), ``votes`` (m, columns) of 1 and 0, ``known`` (m, columns) 1 where the vote counts;
    ``slope`` and ``bias`` (columns,) turn the logarithm of a column's share into its logit.
    """

    kind: ClassVar[str] = "neighbours"
    points: Floats
    votes: Floats
    known: Floats
    prior: Floats
    slope: Floats
    bias: Floats
    k: int
    sharpness: float
    exclusive: bool
    unit: bool = False

    def shape(self) -> tuple[int, int]:
        """Dimensions and columns; ValueError where the arrays don't fit together."""
        m, d = _matrix(self.points, "points")
        _, c = _matrix(self.votes, "votes")
        _same(self.votes.shape, (m, c), "votes")
        _same(self.known.shape, (m, c), "known")
        for name in ("prior", "slope", "bias"):
            _same(getattr(self, name).shape, (c,), name)
        if not 1 <= self.k <= m:
            raise ValueError(f"k is {self.k} of {m} points; legal is 1 to {m}")
        if not 0 <= self.sharpness < 1e6:
            raise ValueError(f"sharpness is {self.sharpness}; legal is 0 or more")
        if min(self.votes.min(), self.known.min(), self.prior.min()) < 0:
            raise ValueError("votes, known and prior hold numbers below 0")
        return d, c

    def logits(self, vectors: Floats) -> Doubles:
        """(n, columns)"""
        x = unit(vectors) if self.unit else vectors
        parts = []
        for i in range(0, max(len(x), 1), _ROWS):
            near = squared_distances(x[i : i + _ROWS], self.points)
            parts.append(poll(near, self.votes, self.known, self.prior, self.k, self.sharpness, self.exclusive))
        return np.concatenate(parts) * self.slope + self.bias


PARTS: dict[str, type[Linear] | type[Kernel] | type[Neighbours]] = {p.kind: p for p in (Linear, Kernel, Neighbours)}
Part = Linear | Kernel | Neighbours


def poll(
    near: Doubles, votes: Floats, known: Floats, prior: Floats, k: int, sharpness: float, exclusive: bool
) -> Doubles:
    """The logarithm of the share (exclusive) or of the odds that the ``k`` nearest give each column: (n, columns).

    A neighbour's weight is exp(-sharpness * squared distance / that of the k-th), so that it is 1 for a copy and the
    scale is the neighbourhood's own. ``prior`` counts like one more neighbour of the farthest one's weight: without it
    a neighbourhood that agrees would be certain, and all such rows would tie.
    """
    n, c = len(near), votes.shape[1]
    if not n:
        return np.empty((0, c))
    chosen = np.argpartition(near, k - 1, axis=1)[:, :k] if k < near.shape[1] else np.tile(np.arange(k), (n, 1))
    distance = np.take_along_axis(near, chosen, axis=1)
    farthest = np.maximum(distance.max(axis=1, keepdims=True), 1e-30)
    weight = np.exp(-sharpness * distance / farthest)
    least = np.exp(-sharpness)
    yes = np.einsum("nk,nkc->nc", weight, (votes * known).astype(np.float64)[chosen]) + least * prior
    if exclusive:
        return np.asarray(np.log(yes) - np.log(yes.sum(axis=1, keepdims=True)))
    no = np.einsum("nk,nkc->nc", weight, ((1 - votes) * known).astype(np.float64)[chosen]) + least * (1 - prior)
    return np.asarray(np.log(yes) - np.log(no))


@dataclass(frozen=True, slots=True, eq=False)
class Positives:
    """Concepts of which nothing but examples is known: the nearer to one, the higher, up to a ceiling.

    ``points`` is (m, dimensions), ``owner`` (m,) the concept of each, ``scale`` (concepts,) the squared distance at
    which a score halves, 0 for concepts that are scored otherwise, ``ceiling`` (concepts,) the highest score.
    """

    points: Floats
    owner: Floats
    scale: Floats
    ceiling: Floats

    def check(self, dimensions: int, concepts: int) -> None:
        """ValueError where the arrays don't fit together."""
        m, _ = _matrix(self.points, "examples")
        _same(self.points.shape, (m, dimensions), "examples")
        for name, legal in (("owner", m), ("scale", concepts), ("ceiling", concepts)):
            _same(getattr(self, name).shape, (legal,), name)
        if self.owner.min() < 0 or self.owner.max() >= concepts or (self.owner != np.floor(self.owner)).any():
            raise ValueError("owner names a concept that there is not")
        if self.scale.min() < 0 or self.ceiling.min() < 0 or self.ceiling.max() > 1:
            raise ValueError("a scale or a ceiling is out of its range")

    def put(self, scores: Doubles, vectors: Floats) -> None:
        """Write the scores of the concepts that this part knows into ``scores`` (n, concepts)."""
        for concept in np.flatnonzero(self.scale > 0):
            mine = self.points[self.owner == concept]
            for i in range(0, len(vectors), _ROWS):
                near = squared_distances(vectors[i : i + _ROWS], mine).min(axis=1) / float(self.scale[concept])
                scores[i : i + _ROWS, concept] = float(self.ceiling[concept]) / (1 + near * near)


def unit(vectors: NDArray[Any]) -> Floats:
    """Rows at length 1; a zero row stays zero."""
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))[:, None]
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)


def squared_distances(a: NDArray[Any], b: NDArray[Any]) -> Doubles:
    """(len(a), len(b)), never below 0."""
    # In double precision: in single, near duplicates of long vectors come out at a distance of noise.
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    square = np.einsum("nd,nd->n", x, x)[:, None] + np.einsum("nd,nd->n", y, y)[None, :]
    square -= 2 * (x @ y.T)
    return np.asarray(np.maximum(square, 0, out=square))


def _matrix(array: Floats, name: str) -> tuple[int, int]:
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name} is of shape {array.shape}; legal is two axes, neither empty")
    return array.shape[0], array.shape[1]


def _same(found: tuple[int, ...], legal: tuple[int, ...], name: str) -> None:
    if found != legal:
        raise ValueError(f"{name} is of shape {found}; legal is {legal}")
