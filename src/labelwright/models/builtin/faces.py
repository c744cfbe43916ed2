"""Frontal faces by OpenCV's Haar cascades, with an uncalibrated score.

One cascade (frontalface_default) proposes boxes, each with a weight; a second one (frontalface_alt) looks at each
box again and agrees by so many overlapping hits, or by none. The score is

    sigmoid(0.6 * (min(weight, 8) - 4) + 0.2 * (hits - 14))

The weight alone does not carry it: over sizes from half to one and a half, and mirrored, it reaches 8.4 on coins
and 8.0 on gravel, while the one true face goes from 2.7 to 6.9 with its size. The hits do: 26 to 37 on that face at
every size, at most 13 on coins and 5 on any other photo without a face. What only the first cascade sees stays
below 0.41, so a person may look at it but nothing labels it.

Where the numbers come from: the sample photos of scikit-image and scikit-learn, and 100 small face patches of
"Labeled Faces in the Wild" enlarged to 100 pixels: with a margin 97 are found, 94 at 0.5 or above; cut tight, 86
and 72; of 100 patches without a face none fires. The constants were chosen on these same images, which flatters
them. The score orders boxes; it is no probability, and thresholds on it want reviewed data.

What it does not see: profiles, turned or covered faces, people from behind, and faces smaller than about 1/25 of
the image's longer side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import cv2
import cv2.data
import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigurationError
from labelwright.models.builtin.descriptor import check_image

VERSION: Final = 1
"""Raised whenever the same image would get other boxes or scores."""

_LONGEST: Final = 640
# Pixels of the longer side: 50-350 ms an image on one core; 800 found nothing more on the sample photos.
_SHORTEST: Final = 20
# The cascades' windows are 24 and 20 pixels: nothing smaller holds a face that they could see.
_CONFIRM_SIDE: Final = 96
# Every box is brought to this side first, so that hits compare between sizes.
_CONFIRM_MARGIN: Final = 0.3
_CONFIRM_OVERLAP: Final = 0.4
_PER_WEIGHT, _MIDDLE_WEIGHT, _MOST_WEIGHT = 0.6, 4.0, 8.0
_PER_HIT, _MIDDLE_HITS = 0.2, 14

# A CascadeClassifier keeps the image's pyramid inside itself, so two threads must not share one. Detection is
# parallel inside OpenCV, so a lock costs little, and a pair a thread would load 1.6 MB of XML each time.
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Face:
    """A box around a face, as fractions (0..1) of the image's height and width."""

    top: float
    left: float
    bottom: float
    right: float
    weight: float
    """The detector's raw weight: about -1 to 12, higher is surer."""
    score: float
    """0..1, rises with the weight and with the second cascade's hits; not calibrated."""


def detect_faces(image: NDArray[np.uint8]) -> list[Face]:
    """Find faces that look towards the camera, the surest first.

    Args:
        image: uint8 RGB (height, width, 3). Long sides above 640 pixels are searched at 640; an image with a
            side below 20 pixels has no faces.

    Raises:
        InputUnsupportedFormat: the array is not uint8 (height, width, 3), or has no pixels.
    """
    check_image(image)
    grey = _working_image(image)
    height, width = grey.shape
    if min(height, width) < _SHORTEST:
        return []
    faces = []
    with _lock:
        boxes, _, weights = _cascade("haarcascade_frontalface_default.xml").detectMultiScale3(
            grey, scaleFactor=1.1, minNeighbors=3, minSize=(_SHORTEST, _SHORTEST), outputRejectLevels=True
        )
        for (x, y, w, h), weight in zip(np.reshape(boxes, (-1, 4)).tolist(), np.ravel(weights).tolist(), strict=True):
            score = score_of(weight, _hits(grey, x, y, w, h))
            faces.append(Face(y / height, x / width, (y + h) / height, (x + w) / width, weight, score))
    # OpenCV's threads report boxes in any order.
    return sorted(faces, key=lambda f: (-f.score, -f.weight, f.top, f.left, f.bottom, f.right))


def score_of(weight: float, hits: int) -> float:
    """The score (0..1, uncalibrated) of a box with this weight and so many hits of the second cascade."""
    by_weight = _PER_WEIGHT * (min(weight, _MOST_WEIGHT) - _MIDDLE_WEIGHT)
    return 1 / (1 + math.exp(-by_weight - _PER_HIT * (hits - _MIDDLE_HITS)))


def people_score(faces: Sequence[Face]) -> float | None:
    """The image's score for *people*: its strongest face's, or None without one, since unseen is not absent."""
    return max((face.score for face in faces), default=None)


def _working_image(image: NDArray[np.uint8]) -> NDArray[Any]:
    height, width = image.shape[:2]
    colour: NDArray[Any] = np.ascontiguousarray(image)
    scale = _LONGEST / max(height, width)
    if scale < 1:
        # Never below one pixel, for images of one row.
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        colour = cv2.resize(colour, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)


def _hits(grey: NDArray[Any], x: int, y: int, w: int, h: int) -> int:
    """How many hits of the second cascade make its best face in about this box. The caller holds the lock."""
    margin = int(w * _CONFIRM_MARGIN)
    left, top = max(0, x - margin), max(0, y - margin)
    crop = grey[top : y + h + margin, left : x + w + margin]
    scale = _CONFIRM_SIDE / w
    size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
    crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    boxes, counts = _cascade("haarcascade_frontalface_alt.xml").detectMultiScale2(
        crop, scaleFactor=1.1, minNeighbors=1, minSize=(_CONFIRM_SIDE // 2, _CONFIRM_SIDE // 2)
    )
    wanted = ((x - left) * scale, (y - top) * scale, w * scale, h * scale)
    found = zip(np.reshape(boxes, (-1, 4)).tolist(), np.ravel(counts).tolist(), strict=True)
    return max((int(n) for box, n in found if _overlap(wanted, tuple(box)) > _CONFIRM_OVERLAP), default=0)


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


@cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    path = Path(cv2.data.haarcascades) / name
    if not path.is_file():
        raise ConfigurationError(
            f"found no {path}; face detection needs the cascade files of opencv-python-headless below 5: "
            f"install opencv-python-headless>=4.10,<5"
        )
    return cv2.CascadeClassifier(str(path))
