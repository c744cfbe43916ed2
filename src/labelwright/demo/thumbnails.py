"""Photos made small enough to carry in a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image

from labelwright.demo.photos import Photo
from labelwright.errors import LabelwrightError
from labelwright.media.decode import decode_image

SIDE, SMALL_SIDE, MANY = 640, 320, 60
"""Pixels of the longer side, and of a page with more photos than the third: it stays below some 20 MB."""
_QUALITY = 82
_MAX_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG as a ``data:`` URI, with its size in pixels."""

    uri: str
    width: int
    height: int


def thumbnail(photo: Photo, side: int = SIDE) -> Thumbnail | None:
    """The photo, upright, ``side`` pixels long at most; None where it can't be read."""
    try:
        pixels = decode_image(photo.path.read_bytes(), max_pixels=_MAX_PIXELS, target=side)
    except (OSError, LabelwrightError):
        return None
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail("data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii"), *image.size)
