"""The sizes in which an image is shown beside the original: made from its bytes, as JPEG."""

from __future__ import annotations

import io

from PIL import Image

from labelwright.media.decode import Pixels, decode_image

ORIGINAL = "orig"

SIDES = {"large": 1024, "small": 320, "tiny": 96}
"""Pixels that the longer side has at most: a screen's view, a card in a grid, a line in a list. 1,024 is what models
are shown, so that a person sees no less."""

QUALITY = 85
"""Of JPEG. 95 took 1.8 times the bytes for a photo that looks the same at these sizes."""

MIME = "image/jpeg"


def make(data: bytes, size: str, *, max_pixels: int) -> bytes:
    """One of `SIDES` of an image, as JPEG: upright, of several frames the first, what is transparent on white.

    An image is never made larger.

    Args:
        max_pixels: as of `decode_image`.

    Raises:
        InputUnsupportedFormat: not an image that can be read.
        InputOverLimit: as of `decode_image`.
    """
    side = SIDES[size]
    return encode(decode_image(data, max_pixels=max_pixels, target=side), side)


def encode(pixels: Pixels, side: int) -> bytes:
    """Pixels (height, width, 3; RGB) as JPEG with a longer side of at most ``side``."""
    image = Image.fromarray(pixels)
    scale = side / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        # The gap lets it shrink by whole steps first: 48 megapixels to 320 took 0.06 s instead of 0.48.
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def sizes_below(key: str) -> str:
    """Where in the media store the sizes of what lies under ``key`` are kept."""
    # Not below the key itself: in a local folder that is a file.
    return f"{key}.sizes"


def key_of(key: str, size: str) -> str:
    """Where in the media store one size is kept; for the original it is the key itself."""
    return key if size == ORIGINAL else f"{sizes_below(key)}/{size}"
