"""The built-in image descriptor: gradient orientations, layout and colour, with no learned weights.

Each image is stretched to a square of 32 x 32 pixels. Stretching keeps every pixel and makes no false edges,
which the bars of a letterbox would; the price is that a very wide picture is squeezed. From the square come

- orientation histograms on a 7 x 7 and on a 4 x 4 grid (what carries shapes: digits, letters, faces),
- one coarse histogram of the finest gradients (texture),
- the layout of light and dark on an 8 x 8 grid,
- the layout of two colour differences on a 4 x 4 grid,
- a histogram of hue, and of grey where there is no hue.

A linear head on it reads 98.8 % of MNIST's held-out digits after 10,000 examples and 99.2 % after 60,000
(benchmarks/descriptor_mnist.py). Rows have unit length and much in common, so a head wants weak regularisation and
a fit that goes on to the end: logistic regression with C = 100 gains about a point over C = 1, and one that stops
at a tolerance of 1e-3 instead of 1e-5 loses one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from labelwright.errors import InputUnsupportedFormat

VERSION: Final = 1
"""Raised whenever the same image would get other numbers: vectors of two versions don't compare."""

Floats = NDArray[Any]
# float32: NumPy's own stubs lose the width in products.

_SIDE: Final = 32
# 48 and 64 pixels gain less than 0.1 points on MNIST, at 2 and 3 times the time. (Points in this file: accuracy of
# a logistic head with C = 100 after 10,000 digits, 98.8 as it stands.)
_BLUR: Final = 8 / 7
# In pixels of the square: one pixel of a 28 x 28 digit. Half as much reads digits as well.
_SHARPNESS: Final = 5
# A gradient counts for direction d with cos(angle to d) to this power; 3 costs 0.1 points, 9 gains none.
_FINE, _COARSE, _TEXTURE = (7, 8), (4, 12), (2, 8)
# (cells a side, directions over the full circle). Directions over the half circle cost 0.3 points.
_FLOOR: Final = 0.02
# Gradients (grey 0..1 over two pixels) well below this are noise; it also keeps flat images finite.
_LAYOUT, _CHROMA, _HUES, _GREYS = 8, 4, 8, 8
_WEIGHTS: Final = {"texture": 0.3, "layout": 0.35, "chroma": 0.5, "histogram": 0.5}
# Against 1 for the orientations. With 0.7, 0.8 and 0.8 for the last three, more of the 11 nearest among crops of
# photos are of the same photo (0.55, not 0.52), and 1000 digits train a head half a point worse.
_CHUNK: Final = 32
# Images at a time: the orientation maps of 32 images take 1.5 MB and stay in a core's cache.

DIMENSIONS: Final = (
    sum(cells**2 * directions for cells, directions in (_FINE, _COARSE, _TEXTURE))
    + _LAYOUT**2
    + 2 * _CHROMA**2
    + 2 * _HUES
    + _GREYS
)
"""Length of a row."""


def describe(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Describe images by vectors whose dot product is a similarity.

    Args:
        images: uint8 RGB arrays (height, width, 3) of any size from 1 x 1.

    Returns:
        float32 (len(images), DIMENSIONS); each row has length 1, whatever the image.

    Raises:
        InputUnsupportedFormat: an array is not uint8, not (height, width, 3), or has no pixels.
    """
    rows = np.empty((len(images), DIMENSIONS), np.float32)
    for start in range(0, len(images), _CHUNK):
        rows[start : start + _CHUNK] = _describe_squares(_squares(images[start : start + _CHUNK]))
    return rows


def check_image(image: NDArray[Any]) -> None:
    """Raise InputUnsupportedFormat unless the array is uint8 (height, width, 3) with at least one pixel."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputUnsupportedFormat(
            f"found an array of {image.dtype} {image.shape}; legal is uint8 (height, width, 3) with at least "
            f"one pixel: decode the image to RGB first"
        )


def _squares(images: Iterable[NDArray[np.uint8]]) -> Floats:
    """float32 (n, 32, 32, 3) in 0..1."""
    return np.stack([_square(image) for image in images]).astype(np.float32) / np.float32(255)


def _square(image: NDArray[np.uint8]) -> NDArray[Any]:
    check_image(image)
    height, width = image.shape[:2]
    square: NDArray[Any] = np.ascontiguousarray(image)
    if height > _SIDE or width > _SIDE:
        # Each axis is averaged down first: bilinear would skip most pixels of a long thin image.
        smaller = (min(width, _SIDE), min(height, _SIDE))
        square = cv2.resize(square, smaller, interpolation=cv2.INTER_AREA)
    if height < _SIDE or width < _SIDE:
        square = cv2.resize(square, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    return square


def _describe_squares(rgb: Floats) -> Floats:
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    grey = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    warm, yellow = red - green, np.float32(0.5) * (red + green) - blue
    across, down = _gradients(grey, _BLUR)
    row = np.concatenate(
        [
            _orientations(across, down, *_FINE),
            _orientations(across, down, *_COARSE),
            _WEIGHTS["texture"] * _texture(grey),
            _WEIGHTS["layout"] * _layout(grey),
            _WEIGHTS["chroma"] * _chroma(warm, yellow),
            _WEIGHTS["histogram"] * _histogram(grey, warm, yellow),
        ],
        axis=1,
        dtype=np.float32,
    )
    # The histogram alone has length 0.5, so this never divides by 0.
    length: Floats = np.sqrt((row * row).sum(1, keepdims=True))
    return row / length


def _orientations(across: Floats, down: Floats, cells: int, directions: int) -> Floats:
    """Orientation histograms of a cells x cells grid, each relative to the contrast around it."""
    found = _pool(_direction_maps(across, down, directions, _SHARPNESS), cells)
    around = _neighbourhood(cells)
    energy = around @ (found * found).sum(1) @ around.T
    found /= np.sqrt(energy + np.float32(_FLOOR**2))[:, None]
    # The root lifts the weak directions; without it 0.3 points less.
    np.sqrt(found, out=found)
    # What all directions share says only that something is there. Taking it away sets rows further apart: 0.1
    # points at C = 100, 0.6 at C = 1.
    found -= found.mean(1, keepdims=True)
    return found.reshape(len(found), -1) / np.float32(cells)


def _texture(grey: Floats) -> Floats:
    cells, directions = _TEXTURE
    found = _pool(_direction_maps(*_gradients(grey, 0), directions, 3), cells)
    found /= np.sqrt((found * found).sum((1, 2, 3), keepdims=True) + np.float32(_FLOOR**2))
    np.sqrt(found, out=found)
    return found.reshape(len(found), -1) / np.float32(cells)


def _layout(grey: Floats) -> Floats:
    cells = _pool(grey, _LAYOUT).reshape(len(grey), -1)
    cells = cells - cells.mean(1, keepdims=True)
    # 0.2: a picture whose light varies by less than 1/40 of the scale is nearly flat, and counts as such.
    layout: Floats = cells / np.sqrt((cells * cells).sum(1, keepdims=True) + np.float32(0.2**2))
    return layout


def _chroma(warm: Floats, yellow: Floats) -> Floats:
    cells = _pool(np.stack([warm, yellow], axis=1), _CHROMA).reshape(len(warm), -1)
    chroma: Floats = cells / np.sqrt((cells * cells).sum(1, keepdims=True) + np.float32(0.3**2))
    return chroma


def _histogram(grey: Floats, warm: Floats, yellow: Floats) -> Floats:
    """Roots of shares, so each row has length 1: dark hues, bright hues, and grey for what has no hue."""
    size = 2 * _HUES + _GREYS
    # Twice the chroma: at half of the scale a pixel is all colour and no grey.
    colour = np.minimum(2 * np.sqrt(warm * warm + yellow * yellow), 1)
    hue = np.arctan2(yellow, warm) * (_HUES / (2 * math.pi)) + _HUES
    below = np.floor(hue)
    hue_part = hue - below
    first = below.astype(np.int64) % _HUES
    second = (first + 1) % _HUES
    bright = np.where(grey < 0.5, 0, _HUES)
    level = grey * (_GREYS - 1)
    step = np.minimum(np.floor(level), _GREYS - 2)
    level_part = level - step
    tone = 2 * _HUES + step.astype(np.int64)
    offset = size * np.arange(len(grey))[:, None, None]
    total = np.zeros(size * len(grey))
    for bins, share in (
        (first + bright, colour * (1 - hue_part)),
        (second + bright, colour * hue_part),
        (tone, (1 - colour) * (1 - level_part)),
        (tone + 1, (1 - colour) * level_part),
    ):
        total += np.bincount((offset + bins).ravel(), share.ravel(), minlength=len(total))
    shares = np.maximum(total, 0).reshape(len(grey), size)
    roots: Floats = np.sqrt(shares / shares.sum(1, keepdims=True)).astype(np.float32)
    return roots


def _gradients(grey: Floats, blur: float) -> tuple[Floats, Floats]:
    smooth = _smoothing(blur)
    slope: Floats = _difference() @ smooth
    across: Floats = smooth @ grey @ slope.T
    down: Floats = slope @ grey @ smooth.T
    return across, down


def _direction_maps(across: Floats, down: Floats, directions: int, sharpness: int) -> Floats:
    """(n, directions, 32, 32): the gradient's length times cos(angle to the direction) to the sharpness (odd)."""
    maps = np.empty((len(across), directions, *across.shape[1:]), np.float32)
    inverse = 1 / (across * across + down * down + np.float32(1e-8))
    half = directions // 2
    for index in range(half):
        angle = 2 * math.pi * index / directions
        along: Floats = across * np.float32(math.cos(angle)) + down * np.float32(math.sin(angle))
        squared_cos = along * along * inverse
        for _ in range((sharpness - 1) // 2):
            along *= squared_cos
        np.maximum(along, 0, out=maps[:, index])
        np.maximum(-along, 0, out=maps[:, index + half])
    return maps


def _pool(maps: Floats, cells: int) -> Floats:
    """Average (..., 32, 32) over overlapping triangular windows to (..., cells, cells)."""
    windows = _windows(cells)
    pooled: Floats = windows @ maps @ windows.T
    return pooled


@cache
def _windows(cells: int) -> Floats:
    step = _SIDE / cells
    centres = (np.arange(cells) + 0.5) * step
    distance = np.abs(np.arange(_SIDE) + 0.5 - centres[:, None]) / step
    windows = np.maximum(1 - distance, 0)
    return _as_shares(windows)


@cache
def _neighbourhood(cells: int) -> Floats:
    return _as_shares(np.eye(cells) + 0.5 * np.eye(cells, k=1) + 0.5 * np.eye(cells, k=-1))


@cache
def _smoothing(blur: float) -> Floats:
    """A Gaussian along one axis, as a matrix; the border pixel is repeated outside."""
    radius = math.ceil(3 * blur)
    matrix = np.zeros((_SIDE, _SIDE))
    for offset in range(-radius, radius + 1):
        weight = math.exp(-0.5 * (offset / blur) ** 2) if blur else 1.0
        matrix += weight * _shift(offset)
    return _as_shares(matrix)


@cache
def _difference() -> Floats:
    return (_shift(1) - _shift(-1)).astype(np.float32)


def _shift(offset: int) -> NDArray[np.float64]:
    place = np.arange(_SIDE)
    shifted: NDArray[np.float64] = (place == np.clip(place + offset, 0, _SIDE - 1)[:, None]).astype(np.float64)
    return shifted


def _as_shares(matrix: NDArray[np.float64]) -> Floats:
    shares: Floats = (matrix / matrix.sum(1, keepdims=True)).astype(np.float32)
    return shares
