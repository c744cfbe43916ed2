"""Fitting clusters to vectors: k-means of their directions, and k-means of its centres for the coarse level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ModelInvalidArgument, TrainingNoData
from labelwright.operators.clusters import Clusters
from labelwright.operators.head_parts import unit

Floats = NDArray[np.float32]

MOST = 1024
"""Clusters that are made when nobody says how many: as many as the built-in code has."""
_ROWS = 50_000
# Centres hardly move for more: 1,024 clusters then have 49 rows each.


def fit(
    vectors: Floats,
    *,
    clusters: int | None = None,
    seed: int = 0,
    progress: Callable[[float, str], None] | None = None,
) -> Clusters:
    """Find clusters.

    Args:
        vectors: float32 (n, dimensions), finite; only their direction counts.
        clusters: how many, at most; None: the square root of n, and 1,024 at most. Equal vectors share one.

    Raises:
        TrainingNoData: there are no vectors.
        ModelInvalidArgument: the vectors are of another shape or not finite, or the number of clusters is below 1.
    """
    if vectors.ndim != 2 or not vectors.size:
        raise TrainingNoData("there are no embeddings to find clusters in")
    if not np.isfinite(vectors).all() or (clusters is not None and clusters < 1):
        raise ModelInvalidArgument(f"found {clusters} clusters or embeddings that are not finite; legal is 1 or more")
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    tell = progress or (lambda _share, _what: None)
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(vectors))[:_ROWS])
    distinct = np.unique(unit(vectors[rows]), axis=0)
    wanted = min(clusters or min(MOST, max(1, round(len(rows) ** 0.5))), len(distinct))
    tell(0.1, f"finding {wanted} clusters of {len(rows)} inputs")
    with threadpool_limits(1):
        fine = MiniBatchKMeans(wanted, random_state=seed, n_init=3, batch_size=4096).fit(distinct)
        centres = np.unique(fine.cluster_centers_.astype(np.float32), axis=0)
        tell(0.8, "grouping the clusters")
        coarse = MiniBatchKMeans(
            max(1, round(len(centres) ** 0.5)), random_state=seed, n_init=3, batch_size=4096
        ).fit_predict(centres)
    # Numbered from 0 without gaps, in the order of the centres.
    _, numbers = np.unique(coarse, return_inverse=True)
    tell(1.0, f"{len(centres)} clusters")
    return Clusters(centres, numbers.astype(np.float32))
