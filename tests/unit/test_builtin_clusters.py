"""Cluster ids: the same everywhere, shared by look-alikes, spread over different images."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_sample_images

from labelwright.errors import ModelInvalidArgument
from labelwright.models.builtin.clusters import assign
from labelwright.models.builtin.descriptor import DIMENSIONS, describe

ROWS = hnp.arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 40)), elements=st.floats(-100, 100, width=32))


@given(ROWS)
def test_ids_have_two_levels_and_scores_a_range(rows: Any) -> None:
    found = assign(rows)
    assert len(found) == len(rows)
    for cluster, score in found:
        match = re.fullmatch(r"(\d+)_(\d+)", cluster)
        assert match is not None
        assert max(map(int, match.groups())) < 32
        assert 0.5 <= score <= 1


def test_rows_get_alone_what_they_get_together() -> None:
    rows = np.random.default_rng(1).normal(size=(200, DIMENSIONS)).astype(np.float32)
    together = assign(rows)
    for index, row in enumerate(rows):
        ((cluster, score),) = assign(row[None])
        assert cluster == together[index][0]
        assert score == pytest.approx(together[index][1], abs=1e-6)


def test_the_codes_are_the_same_on_every_machine() -> None:
    """Written down once: a change of these is a change of VERSION."""
    steps = np.stack([np.sin(np.arange(64) * k + 1) for k in (1, 2, 3, 4, 5)]).astype(np.float32)
    assert [cluster for cluster, _ in assign(steps)] == ["4_29", "22_3", "5_11", "11_5", "11_12"]


def test_another_process_gives_the_same() -> None:
    program = (
        "import numpy as np; from labelwright.models.builtin.clusters import assign; "
        "print(assign(np.arange(1, 129, dtype=np.float32).reshape(2, 64) % 7 - 3))"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(assign(np.arange(1, 129, dtype=np.float32).reshape(2, 64) % 7 - 3))


def test_length_does_not_matter_and_zero_has_its_place() -> None:
    rows = np.random.default_rng(2).normal(size=(20, 64)).astype(np.float32)
    assert [c for c, _ in assign(rows * 32)] == [c for c, _ in assign(rows)]
    assert assign(np.zeros((1, 64), np.float32)) == [("0_0", 0.5)]
    assert assign(np.empty((0, 64), np.float32)) == []


def test_near_duplicates_mostly_share_an_id_and_photos_do_not() -> None:
    data: Any = skimage.data
    photos = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), *load_sample_images().images]
    photos += [data.stereo_motorcycle()[0], data.retina(), data.immunohistochemistry(), data.hubble_deep_field()]
    ids = [cluster for cluster, _ in assign(describe(photos))]
    assert len(set(ids)) >= 8
    smaller: list[Any] = [cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for p in photos]
    jpegs: list[Any] = [
        cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR) for p in photos
    ]
    for changed in (smaller, jpegs):
        same = [a == b for a, (b, _) in zip(ids, assign(describe(changed)), strict=True)]
        assert sum(same) >= 9


def test_a_random_cloud_is_spread_evenly() -> None:
    rows = np.random.default_rng(3).normal(size=(4000, 64)).astype(np.float32)
    found = [cluster for cluster, _ in assign(rows)]
    coarse = np.bincount([int(cluster.split("_")[0]) for cluster in found], minlength=32)
    assert coarse.min() > 0.3 * coarse.mean()
    assert len(set(found)) > 700


@pytest.mark.parametrize(
    "rows",
    [np.zeros(5, np.float32), np.zeros((3, 0), np.float32), np.array([[1.0, np.nan]]), np.array([[np.inf, 0.0]])],
    ids=["one-dimensional", "no columns", "NaN", "infinity"],
)
def test_other_arrays_are_refused(rows: Any) -> None:
    with pytest.raises(ModelInvalidArgument, match="found embeddings of shape"):
        assign(rows)
