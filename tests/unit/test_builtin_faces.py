"""The face detector and its score on the photos that scikit-image and scikit-learn carry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

from labelwright.errors import ConfigurationError, InputUnsupportedFormat
from labelwright.models.builtin import faces as module
from labelwright.models.builtin.faces import Face, detect_faces, people_score, score_of

Image = NDArray[np.uint8]
PHOTOS: Any = skimage.data


def rgb(image: NDArray[Any]) -> Image:
    """Any of the sample photos as uint8 RGB."""
    if image.dtype != np.uint8:
        image = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    return np.ascontiguousarray(image[:, :, :3])


def enlarged(image: Image, side: int) -> Image:
    """The image at side x side."""
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def without_people() -> dict[str, Image]:
    names = ["brick", "chelsea", "clock", "coffee", "coins", "grass", "gravel", "hubble_deep_field"]
    names += ["immunohistochemistry", "moon", "page", "retina", "rocket", "text"]
    photos = {name: rgb(getattr(PHOTOS, name)()) for name in names}
    photos["motorcycle"] = PHOTOS.stereo_motorcycle()[0]
    photos["china"], photos["flower"] = load_sample_images().images
    return photos


def enlarged_patches() -> list[Image]:
    """100 faces, then 100 patches without, 100 x 100 with a margin of 30."""
    patches = [enlarged(rgb(patch), 100) for patch in PHOTOS.lfw_subset()]
    return [np.pad(patch, ((30, 30), (30, 30), (0, 0)), mode="edge") for patch in patches]


def test_the_astronaut_has_one_face_where_it_is() -> None:
    (face,) = detect_faces(PHOTOS.astronaut())
    assert face.score >= 0.95
    assert face.weight == pytest.approx(5.83, abs=0.1)
    # Her eyes are at about (115, 205) and (115, 250) of 512 x 512.
    assert face.top < 115 / 512 < face.bottom
    assert face.left < 205 / 512 < 250 / 512 < face.right
    assert face.right - face.left < 0.3


@pytest.mark.parametrize(("name", "image"), without_people().items(), ids=list(without_people()))
def test_photos_without_people_stay_below_one_half(name: str, image: Image) -> None:
    score = people_score(detect_faces(image))
    assert score is None or score < 0.45


def test_coins_are_left_for_a_person_to_judge() -> None:
    score = people_score(detect_faces(rgb(PHOTOS.coins())))
    assert score is not None
    assert 0.05 < score < 0.45


def test_a_man_in_profile_is_not_seen() -> None:
    assert detect_faces(rgb(PHOTOS.camera())) == []


def test_patches_of_faces_score_high_and_others_not_at_all() -> None:
    scores = [people_score(detect_faces(patch)) for patch in enlarged_patches()]
    assert sum(s is not None and s >= 0.5 for s in scores[:100]) >= 90
    assert sum(s is not None for s in scores[100:]) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (19, 19), (19, 600), (1, 5000), (5000, 1), (20, 20), (24, 24), (20, 9000)])
def test_tiny_and_thin_images_have_no_faces(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detect_faces(noise) == []
    assert detect_faces(np.full((*shape, 3), 255, np.uint8)) == []


def test_a_huge_photo_is_searched_at_the_working_size() -> None:
    large = enlarged(PHOTOS.astronaut(), 4000)
    assert module._working_image(large).shape == (640, 640)
    face, *others = detect_faces(large)
    (original,) = detect_faces(PHOTOS.astronaut())
    assert face.score > 0.85
    assert all(other.score < 0.45 for other in others)
    assert face.top == pytest.approx(original.top, abs=0.03)
    assert face.left == pytest.approx(original.left, abs=0.03)


def test_boxes_lie_inside_the_image_surest_first() -> None:
    found = detect_faces(rgb(PHOTOS.coins()))
    assert len(found) > 1
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    for face in found:
        assert 0 <= face.top < face.bottom <= 1
        assert 0 <= face.left < face.right <= 1


def test_threads_find_what_one_finds() -> None:
    images = [PHOTOS.astronaut(), rgb(PHOTOS.coins()), PHOTOS.chelsea()] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detect_faces, images)) == [detect_faces(image) for image in images]


def test_without_a_detection_people_is_absent() -> None:
    assert people_score([]) is None
    weak, strong = Face(0, 0, 1, 1, 1.0, 0.01), Face(0, 0, 1, 1, 6.0, 0.9)
    assert people_score([weak, strong]) == 0.9


@given(st.floats(-20, 40), st.floats(0, 5), st.integers(0, 80))
def test_the_score_rises_with_weight_and_with_hits(weight: float, more: float, hits: int) -> None:
    score = score_of(weight, hits)
    assert 0 <= score <= score_of(weight + more, hits) <= 1
    assert score < score_of(weight, hits + 1) or score > 0.99


@given(st.floats(-20, 40))
def test_what_only_one_cascade_sees_stays_below_one_half(weight: float) -> None:
    assert score_of(weight, 0) < 0.41


@pytest.mark.parametrize("side", [150, 200, 300, 400, 600, 800])
def test_the_face_scores_high_at_any_size(side: int) -> None:
    face, *others = detect_faces(enlarged(PHOTOS.astronaut(), side))
    assert face.score > 0.85
    assert all(other.score < 0.2 for other in others)


@pytest.mark.parametrize("scale", [0.5, 0.85, 1.25])
@pytest.mark.parametrize("name", ["coins", "gravel", "immunohistochemistry", "page", "chelsea"])
def test_other_sizes_of_photos_without_people_stay_below_one_half(name: str, scale: float) -> None:
    photo = rgb(getattr(PHOTOS, name)())
    for seen in (photo, photo[:, ::-1]):
        size = (round(seen.shape[1] * scale), round(seen.shape[0] * scale))
        resized = cv2.resize(seen.copy(), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        assert (people_score(detect_faces(resized)) or 0) < 0.45


def test_other_arrays_are_refused() -> None:
    with pytest.raises(InputUnsupportedFormat, match="legal is uint8"):
        detect_faces(np.zeros((40, 40), np.uint8))


def test_a_missing_cascade_file_names_the_package_to_install() -> None:
    with pytest.raises(ConfigurationError, match="opencv-python-headless"):
        module._cascade("haarcascade_unheard_of.xml")
