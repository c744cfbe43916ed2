"""Learned clusters: what lies together shares an id, and whatever is given has one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelwright.errors import ModelInvalidArgument, TrainingNoData
from labelwright.operators.clusters import Clusters
from labelwright.training import clusters
from tests.unit.some_vectors import blobs

ROWS = hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(-9, 9, width=32))


@settings(max_examples=40, deadline=None)
@given(ROWS, st.none() | st.integers(1, 20))
def test_every_row_has_an_id_and_a_score(rows: Any, number: int | None) -> None:
    fitted = clusters.fit(rows, clusters=number)
    found = fitted.assign(rows)
    assert len(found) == len(rows)
    for cluster, score in found:
        assert re.fullmatch(r"\d+_\d+", cluster)
        assert 0.5 <= score <= 1
    assert 1 <= len(fitted.centres) <= min(number or 4, len(rows))
    again = Clusters.from_bytes(fitted.to_bytes())
    assert again.assign(rows) == found


def test_what_lies_together_shares_an_id() -> None:
    vectors, labels = blobs(400, 5, apart=12.0, dimensions=16)
    told: list[float] = []
    fitted = clusters.fit(vectors, clusters=5, progress=lambda share, _: told.append(share))
    ids = np.array([cluster for cluster, _ in fitted.assign(vectors)])
    shown = labels.argmax(axis=1)
    assert len(set(ids)) == 5
    for concept in range(5):
        assert len(set(ids[shown == concept])) == 1
    assert told == sorted(told)
    assert told[-1] == 1


def test_only_the_direction_counts() -> None:
    vectors, _ = blobs(100, 3)
    fitted = clusters.fit(vectors)
    assert [i for i, _ in fitted.assign(vectors * 7)] == [i for i, _ in fitted.assign(vectors)]


def test_the_same_seed_gives_the_same_clusters() -> None:
    vectors, _ = blobs(200, 4)
    assert clusters.fit(vectors, seed=3).to_bytes() == clusters.fit(vectors, seed=3).to_bytes()


def test_nothing_to_find_clusters_in_has_a_status() -> None:
    with pytest.raises(TrainingNoData, match="no embeddings"):
        clusters.fit(np.empty((0, 4), np.float32))
    with pytest.raises(ModelInvalidArgument, match="finite"):
        clusters.fit(np.full((2, 2), np.nan, np.float32))
    with pytest.raises(ModelInvalidArgument, match="found 0 clusters"):
        clusters.fit(np.ones((2, 2), np.float32), clusters=0)


@pytest.mark.parametrize(
    ("centres", "coarse"),
    [
        (np.ones(3), np.zeros(3)),
        (np.empty((0, 3)), np.empty(0)),
        (np.ones((2, 3)), np.zeros(3)),
        (np.ones((2, 3)), np.array([0, 2])),
        (np.ones((2, 3)), np.array([0, 0.5])),
        (np.ones((2, 3)), np.array([0, -1])),
        (np.full((2, 3), np.nan), np.zeros(2)),
    ],
)
def test_clusters_that_do_not_fit_together_are_refused(centres: Any, coarse: Any) -> None:
    with pytest.raises(ValueError):
        Clusters(centres.astype(np.float32), coarse.astype(np.float32))


def test_vectors_of_another_length_are_refused() -> None:
    fitted = Clusters(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="rows, 3"):
        fitted.assign(np.zeros((1, 4), np.float32))
