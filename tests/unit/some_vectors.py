"""Vectors with labels, as embeddings of things that can be told apart, more or less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def blobs(rows: int, concepts: int, *, dimensions: int = 8, apart: float = 4.0, seed: int = 0) -> tuple[Floats, Floats]:
    """Vectors (rows, dimensions) around one centre a concept, and labels (rows, concepts) of 1 and 0."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(concepts, dimensions))
    centres *= apart / np.sqrt((centres**2).sum(axis=1, keepdims=True))
    shows = np.arange(rows) % concepts
    vectors = centres[shows] + rng.normal(size=(rows, dimensions))
    return vectors.astype(np.float32), np.eye(concepts, dtype=np.float32)[shows]


def digits(train: int, seed: int) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Vectors and labels to train on, and vectors and classes of the rest."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    order = np.random.default_rng(seed).permutation(len(loaded.target))
    vectors, classes = (loaded.data[order] / 16).astype(np.float32), loaded.target[order]
    return vectors[:train], np.eye(10, dtype=np.float32)[classes[:train]], vectors[train:], classes[train:]
