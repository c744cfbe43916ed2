"""Frontal faces by OpenCV's Haar cascades, with an uncalibrated score.

One cascade (frontalface_default) proposes and gives each box a weight; a second one (frontalface_alt) looks at
the box again and confirms it or not. The score is

    sigmoid(1.3 * (weight + 1.0 - 4)) when confirmed,   sigmoid(1.3 * (weight - 0.5 - 4)) when not

Where the numbers come from: the sample photos of scikit-image and scikit-learn, and no more. Their one frontal
face (weight 5.83) scores 0.98; on the 21 photos without one, the cascade fires on five: coins at up to 3.94
(0.33: worth a person's look) and clock, gravel, cell and flower at 1.2 or less (under 0.02). No box on these five
was confirmed. Of 100 small face patches of "Labeled Faces in the Wild", enlarged to 100 pixels with a margin,
97 are found, 94 of them at 0.5 or above; cut tight, 86 and 79; none fires among 100 patches without a face. This
orders boxes; it is no probability, and thresholds on it want reviewed data.

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
_CONFIRM_MARGIN: Final = 0.3
_CONFIRM_NEIGHBOURS: Final = 6
# Overlapping hits: the astronaut's face has 34, LFW patches with a margin 10 or more, the best coin 4.
_CONFIRM_OVERLAP: Final = 0.4
_STEEPNESS, _MIDDLE, _CONFIRMED, _UNCONFIRMED = 1.3, 4.0, 1.0, -0.5

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
    """0..1, rises with the weight and with the second cascade's agreement; not calibrated."""


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
            score = score_of(weight, confirmed=_confirms(grey, x, y, w, h))
            faces.append(Face(y / height, x / width, (y + h) / height, (x + w) / width, weight, score))
    # OpenCV's threads report boxes in any order.
    return sorted(faces, key=lambda f: (-f.score, -f.weight, f.top, f.left, f.bottom, f.right))


def score_of(weight: float, *, confirmed: bool) -> float:
    """The score (0..1, uncalibrated) of a box with this detector weight."""
    shift = _CONFIRMED if confirmed else _UNCONFIRMED
    return 1 / (1 + math.exp(-_STEEPNESS * (weight + shift - _MIDDLE)))


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


def _confirms(grey: NDArray[Any], x: int, y: int, w: int, h: int) -> bool:
    """Whether the second cascade finds a face in about the same box. The caller holds the lock."""
    margin = int(w * _CONFIRM_MARGIN)
    left, top = max(0, x - margin), max(0, y - margin)
    crop = grey[top : y + h + margin, left : x + w + margin]
    scale = _CONFIRM_SIDE / w
    size = (round(crop.shape[1] * scale), round(crop.shape[0] * scale))
    crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    boxes = _cascade("haarcascade_frontalface_alt.xml").detectMultiScale(
        crop,
        scaleFactor=1.1,
        minNeighbors=_CONFIRM_NEIGHBOURS,
        minSize=(_CONFIRM_SIDE // 2, _CONFIRM_SIDE // 2),
    )
    wanted = ((x - left) * scale, (y - top) * scale, w * scale, h * scale)
    return any(_overlap(wanted, tuple(box)) > _CONFIRM_OVERLAP for box in np.reshape(boxes, (-1, 4)).tolist())


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
