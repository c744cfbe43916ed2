"""The built-in descriptor: its shape and invariants, what a linear head reads from it, what it finds alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_sample_images
from sklearn.linear_model import LogisticRegression

from labelwright.errors import InputUnsupportedFormat
from labelwright.models.builtin.descriptor import DIMENSIONS, describe

Image = NDArray[np.uint8]
PHOTOS: Any = skimage.data


def flat(height: int, width: int, colour: tuple[int, int, int] = (0, 0, 0)) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def photos() -> dict[str, Image]:
    china, flower = load_sample_images().images
    return {
        "astronaut": PHOTOS.astronaut(),
        "cat": PHOTOS.chelsea(),
        "coffee": PHOTOS.coffee(),
        "rocket": PHOTOS.rocket(),
        "china": china,
        "flower": flower,
    }


AWKWARD = [
    flat(1, 1),
    flat(1, 1, (255, 0, 0)),
    flat(1, 500, (9, 9, 9)),
    noise(500, 1),
    noise(2, 3000),
    flat(28, 28),
    flat(28, 28, (128, 128, 128)),
    flat(640, 480, (255, 255, 255)),
    flat(100, 100, (0, 255, 0)),
    noise(33, 31),
    noise(32, 32),
    noise(31, 33),
]


@pytest.mark.parametrize("image", AWKWARD, ids=lambda i: "x".join(map(str, i.shape)))
def test_every_row_has_length_one(image: Image) -> None:
    row = describe([image])
    assert row.shape == (1, DIMENSIONS)
    assert row.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(row, axis=1), 1, atol=1e-5)


def test_no_images_give_no_rows() -> None:
    assert describe([]).shape == (0, DIMENSIONS)
    assert DIMENSIONS <= 1024


def test_a_batch_gives_what_its_images_give_alone(photos: dict[str, Image]) -> None:
    images = AWKWARD + list(photos.values()) + [noise(28, 28, seed) for seed in range(40)]
    alone = np.concatenate([describe([image]) for image in images])
    np.testing.assert_allclose(describe(images), alone, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(describe(images), describe(images))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)), elements=st.integers(0, 255))
)
def test_any_pixels_are_described(image: Image) -> None:
    row = describe([image])
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


def test_views_of_an_array_are_read_as_they_look() -> None:
    image = noise(60, 40)
    for view in (image[::-1], image[:, ::-1], image[::2, 5:]):
        np.testing.assert_array_equal(describe([view]), describe([view.copy()]))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
    ids=["grey", "rgba", "float", "empty"],
)
def test_other_arrays_are_refused(image: Any) -> None:
    with pytest.raises(InputUnsupportedFormat, match="legal is uint8"):
        describe([flat(2, 2), image])


def test_a_linear_head_reads_digits() -> None:
    digits = load_digits()
    images = [np.repeat((grey * 15.9).astype(np.uint8)[:, :, None], 3, axis=2) for grey in digits.images]
    rows, held_out = describe(images), np.arange(len(images)) % 3 == 0
    head = LogisticRegression(C=100, max_iter=1000).fit(rows[~held_out], digits.target[~held_out])
    assert head.score(rows[held_out], digits.target[held_out]) > 0.97


def test_versions_of_a_photo_are_closer_than_other_photos(photos: dict[str, Image]) -> None:
    changed: dict[str, Callable[[Any], Any]] = {
        "half": lambda a: cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "jpeg": lambda a: cv2.imdecode(cv2.imencode(".jpg", a, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR),
        "crop": lambda a: a[a.shape[0] // 20 : -a.shape[0] // 20, a.shape[1] // 20 : -a.shape[1] // 20],
        "brighter": lambda a: np.clip(a.astype(np.int16) + 20, 0, 255).astype(np.uint8),
    }
    rows = describe(list(photos.values()))
    for name, change in changed.items():
        similar = describe([change(a) for a in photos.values()]) @ rows.T
        own = np.diag(similar)
        other = np.where(np.eye(len(rows), dtype=bool), -1, similar).max(1)
        assert (own > other + 0.2).all(), (name, own, other)


def test_two_views_of_a_scene_are_closer_than_other_scenes(photos: dict[str, Image]) -> None:
    left, right, _ = PHOTOS.stereo_motorcycle()
    rows = describe([left, right, *photos.values()])
    assert rows[0] @ rows[1] > (rows[0] @ rows[2:].T).max() + 0.2


def test_colour_alone_tells_images_apart() -> None:
    red, dark_red, blue, grey = describe(
        [flat(40, 40, (220, 20, 20)), flat(40, 40, (160, 10, 10)), flat(40, 40, (20, 20, 220)), flat(40, 40, (90,) * 3)]
    )
    assert red @ dark_red > red @ blue + 0.3
    assert red @ dark_red > red @ grey + 0.3


def test_grey_photos_differ_from_themselves_in_colour_by_colour_only(photos: dict[str, Image]) -> None:
    coffee = photos["coffee"]
    grey = cv2.cvtColor(cv2.cvtColor(coffee, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8)
    colour_row, grey_row = describe([coffee, grey])
    assert 0.6 < colour_row @ grey_row < 0.98
