"""Turning the bytes of an image into pixels, whatever is wrong with them."""

from __future__ import annotations

import io
import re
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

# Named, so that Image.open finds them at once instead of importing all of Pillow's forty formats.
from PIL import (  # noqa: F401
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from labelwright.errors import InputOverLimit, InputUnsupportedFormat, LabelwrightError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")
_LEGAL = "JPEG, PNG, TIFF, BMP, WEBP and GIF are legal"

MAX_SIDE = 65_535
"""Pixels on one side: what JPEG can say. A 438-byte WEBP of 8 x 8388620 took 16 s to decode, where 67
million pixels in a square take 1."""

# decode_image checks each image against the caller's own cap, which may lie above Pillow's 89 million.
Image.MAX_IMAGE_PIXELS = None

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"RIFF", "WEBP"),
    (b"GIF8", "GIF"),
)
_SNIFFED = (
    (re.compile(rb"\s*<", re.DOTALL), "a web page or XML"),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), "AVIF"),
    (re.compile(rb"....ftyp(heic|heix|mif1|msf1)", re.DOTALL), "HEIC"),
    (re.compile(rb"....ftyp", re.DOTALL), "a video"),
    (re.compile(rb"%PDF"), "PDF"),
    (re.compile(rb"PK\x03\x04"), "ZIP"),
    (re.compile(rb"\s*[\[{]", re.DOTALL), "JSON"),
)

Pixels = npt.NDArray[np.uint8]


def decode_image(data: bytes, *, max_pixels: int, target: int | None = None) -> Pixels:
    """Decode an image to RGB, upright as its EXIF orientation says; of several frames, the first.

    What is transparent lies on white. 16-bit samples keep their high byte. Samples without a fixed range
    (32-bit integers, floats) are taken as they are when they lie in 0..255 (floats in 0..1: times 255), and
    stretched from their own lowest to their highest otherwise (black, if all are equal).

    Args:
        max_pixels: width times height that the header may announce, above 0.
        target: the long side, in pixels, that the caller needs at least: a larger JPEG may come out shrunk
            by 2, 4 or 8, which saves most of the work. None: full size.

    Returns:
        uint8 of shape (height, width, 3), read-only: pixels are shared by all that look at an image.

    Raises:
        InputUnsupportedFormat: not an image of a legal format, or a broken one.
        InputOverLimit: more than ``max_pixels``, a side over ``MAX_SIDE``, or more than the memory holds.
    """
    image = _open(data)
    try:
        width, height = image.size
        if width * height > max_pixels:
            raise InputOverLimit(
                f"the image has {width} x {height} = {width * height} pixels; {max_pixels} at most are legal"
            )
        if target is not None and max(image.size) > target and isinstance(image, JpegImagePlugin.JpegImageFile):
            # Rounded down on the short side: rounded up, it would forbid a scale that the long side allows.
            long = max(image.size)
            image.draft(None, (max(1, width * target // long), max(1, height * target // long)))
        if max(width, height) > MAX_SIDE:
            raise InputOverLimit(f"the image has {width} x {height} pixels; a side of {MAX_SIDE} at most is legal")
        image.load()
        turn = _TURNS.get(_orientation(image))
        rgb = _rgb(image)
        return np.asarray(rgb if turn is None else rgb.transpose(turn))
    except LabelwrightError:
        raise
    except MemoryError:
        raise InputOverLimit("the image needs more memory than there is") from None
    except Exception as e:  # noqa: BLE001 (Pillow raises a dozen kinds on broken files, SyntaxError among them)
        raise _broken(image.format, e) from None


def image_size(data: bytes) -> tuple[int, int, str]:
    """Width and height in pixels as ``decode_image`` gives them in full, and the format, from the header.

    Raises:
        InputUnsupportedFormat: not an image of a legal format, or one with a broken header.
    """
    image = _open(data)
    width, height = image.size
    # Pillow turns a TIFF by itself, and its header's size is the turned one.
    if image.format != "TIFF" and _orientation(image) >= 5:
        width, height = height, width
    return width, height, _format(image.format)


def _open(data: bytes) -> ImageFile.ImageFile:
    _hush()
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise InputUnsupportedFormat(f"{_sniff(data)}; {_LEGAL}") from None
    except MemoryError:
        raise InputOverLimit("the image needs more memory than there is") from None
    except Exception as e:  # noqa: BLE001 (as in decode_image)
        raise _broken(_magic(data), e) from None
    if image.width < 1 or image.height < 1:
        raise InputUnsupportedFormat(f"the {_format(image.format)} file has no pixels")
    return image


def _orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF counts; 1 when it can't be read, since a viewer would show such a picture too."""
    try:
        # Not the subclass's method: PNG's decodes the whole picture to look for EXIF at the file's end.
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 (broken EXIF, as above)
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        # Pillow's own conversion clips at 255: a 16-bit picture would come out white.
        return Image.fromarray(_levels(np.asarray(image))).convert("RGB")
    if image.has_transparency_data or image.mode in ("La", "RGBa"):
        if image.mode in ("La", "RGBa"):
            image = image.convert("LA" if image.mode == "La" else "RGBA")
        image = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        return page
    return image if image.mode == "RGB" else image.convert("RGB")


def _levels(samples: npt.NDArray[Any]) -> Pixels:
    """Samples of any kind as 0..255."""
    if samples.dtype.kind == "u" and samples.dtype.itemsize == 2:
        return (samples >> 8).astype(np.uint8)
    # In place throughout: each copy would take 8 bytes a pixel.
    values = np.nan_to_num(samples.astype(np.float64), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        values -= low
        values /= (high - low) or 1
        values *= 255
    elif samples.dtype.kind == "f" and high <= 1:
        values *= 255
    return np.rint(values, out=values).astype(np.uint8)


def _sniff(data: bytes) -> str:
    if not data:
        return "the file is empty"
    if name := _magic(data):
        return f"this begins as {name} does, but is cut off or damaged"
    for pattern, name in _SNIFFED:
        if pattern.match(data[:64]):
            return f"this looks like {name}, not an image that can be read"
    return "this is not an image that can be read"


def _magic(data: bytes) -> str | None:
    return next((name for magic, name in _MAGIC if data.startswith(magic)), None)


def _format(name: str | None) -> str:
    # MPO is a JPEG with further pictures behind it, as many phones write.
    return "JPEG" if name == "MPO" else name or "image"


def _broken(name: str | None, problem: Exception) -> InputUnsupportedFormat:
    reason = "it is cut off or damaged"
    if isinstance(problem, OSError | ValueError | SyntaxError) and not isinstance(problem, struct.error):
        text = "".join(c if c.isprintable() else " " for c in str(problem))[:100].strip()
        reason = text or reason
    return InputUnsupportedFormat(f"the {_format(name)} file is broken: {reason}")


def _hush() -> None:
    """Keep Pillow's warnings about odd files off standard error: strangers choose how many there are.

    Not ``warnings.catch_warnings``, which swaps a list that all threads share and so can't be used in some
    of them. Called for each image since others (a test runner, say) may put the list back.
    """
    if _HUSHED not in warnings.filters[:1]:
        warnings.filterwarnings("ignore", module=_PILLOW)


_PILLOW = r"PIL\."
_HUSHED = ("ignore", None, Warning, re.compile(_PILLOW), 0)
