"""Learned clusters: centres in two levels, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from labelwright.operators.arrays import Floats, pack, unpack
from labelwright.operators.head_parts import Doubles, squared_distances, unit

FORMAT: Final = "clusters/1"


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Where the clusters lie.

    Attributes:
        centres: (m, dimensions), for vectors brought to length 1.
        coarse: (m,) the number of the coarse cluster that each centre is a part of.
    """

    centres: Floats
    coarse: Floats

    def __post_init__(self) -> None:
        """ValueError where the arrays don't fit together."""
        if self.centres.ndim != 2 or not self.centres.size:
            raise ValueError(f"centres are of shape {self.centres.shape}; legal is two axes, neither empty")
        if self.coarse.shape != (len(self.centres),):
            raise ValueError(f"coarse is of shape {self.coarse.shape}; legal is ({len(self.centres)},)")
        if not np.isfinite(self.centres).all() or not np.isfinite(self.coarse).all():
            raise ValueError("a number is not finite")
        if self.coarse.min() < 0 or self.coarse.max() >= len(self.centres) or (self.coarse % 1).any():
            raise ValueError("a coarse cluster's number is out of its range")

    @property
    def dimensions(self) -> int:
        """The length of the vectors that are assigned."""
        return int(self.centres.shape[1])

    def assign(self, vectors: Floats) -> list[tuple[str, float]]:
        """Give each row its cluster.

        Args:
            vectors: (n, dimensions), finite; only their direction counts.

        Returns:
            n pairs of an id "coarse_fine" and a score from 0.5 (on the border to the next cluster) to 1 (at the
            centre); of the two levels a cluster's fine number counts within its coarse one.

        Raises:
            ValueError: the vectors are of another shape, or not finite.
        """
        x = np.asarray(vectors, np.float32)
        if x.ndim != 2 or x.shape[1] != self.dimensions or not np.isfinite(x).all():
            raise ValueError(f"found vectors of shape {x.shape}; legal is (rows, {self.dimensions}), finite")
        ids = self._ids()
        near = squared_distances(unit(x), self.centres)
        best = near.argmin(axis=1)
        return [(ids[b], float(s)) for b, s in zip(best.tolist(), _surety(near), strict=True)]

    def _ids(self) -> list[str]:
        seen: dict[int, int] = {}
        ids = []
        for c in self.coarse.astype(int).tolist():
            ids.append(f"{c}_{seen.get(c, 0)}")
            seen[c] = seen.get(c, 0) + 1
        return ids

    def to_bytes(self) -> bytes:
        """The clusters as bytes: arrays and a JSON header."""
        return pack({"format": FORMAT}, {"centres": self.centres, "coarse": self.coarse})

    @classmethod
    def from_bytes(cls, data: bytes) -> Clusters:
        """The reverse of `to_bytes`.

        Raises:
            ValueError: these are no bytes of clusters, or damaged ones; the message says what is wrong with them.
        """
        about, arrays = unpack(data)
        if about != {"format": FORMAT} or set(arrays) != {"centres", "coarse"}:
            raise ValueError(f"this is {str(about.get('format'))[:40]!r}; legal is {FORMAT!r}, with its two arrays")
        return cls(arrays["centres"], arrays["coarse"])


def _surety(near: Doubles) -> list[float]:
    """The share that the second nearest centre's distance has of the two nearest ones'."""
    if near.shape[1] == 1:
        return [1.0] * len(near)
    first, second = np.sqrt(np.partition(near, 1, axis=1)[:, :2]).T
    total = first + second
    return [float(s) for s in np.where(total > 0, second / np.where(total > 0, total, 1), 0.5)]
