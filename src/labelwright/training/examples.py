"""Concepts of which there are only examples: no label says what they are not, so nothing can be calibrated."""

from __future__ import annotations

import numpy as np

from labelwright.operators.head_parts import Doubles, Positives, squared_distances
from labelwright.training.problems import Floats, Rows

_MOST = 500
# Examples that are kept of a concept.


def fit(vectors: Floats, labels: Floats, concepts: Rows, seed: int) -> tuple[Positives, Doubles]:
    """Similarity to the examples.

    The highest score is Laplace's rule, (k + 1) / (k + 2) after k examples; it falls to half of that at twice the
    distance that examples have among themselves. Where there is one example alone, or they are all equal, a third of
    the way to the typical vector stands for that distance.

    Returns:
        The part, and the scores (n, concepts of all) of each row by the other examples; nan in other columns.
    """
    rng = np.random.default_rng(seed)
    scale, ceiling = np.zeros(labels.shape[1], np.float32), np.zeros(labels.shape[1], np.float32)
    held_out = np.full(labels.shape, np.nan)
    points, owners = [], []
    away = float(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1).mean())
    away = away or float((vectors**2).sum(axis=1).mean()) or 1.0
    for concept in concepts.tolist():
        positive = np.flatnonzero(labels[:, concept] > 0)
        kept = np.sort(rng.permutation(positive)[:_MOST])
        near = squared_distances(vectors, vectors[kept])
        near[kept, np.arange(len(kept))] = np.inf
        closest = near.min(axis=1)
        among = closest[kept][np.isfinite(closest[kept])]
        scale[concept] = 4 * ((float(np.median(among)) if len(among) else 0.0) or away / 9)
        k = len(positive)
        ceiling[concept] = (k + 1) / (k + 2)
        rest = k - (labels[:, concept] > 0)
        share = np.where(np.isfinite(closest), closest / scale[concept], 0.0)
        held_out[:, concept] = (rest + 1) / (rest + 2) / (1 + share * share)
        points.append(vectors[kept])
        owners.append(np.full(len(kept), concept, np.float32))
    return Positives(np.concatenate(points).astype(np.float32), np.concatenate(owners), scale, ceiling), held_out
