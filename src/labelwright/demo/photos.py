"""The photos that the demo labels: a few that come with other packages, or a folder of the user's."""

from __future__ import annotations

import importlib.resources
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labelwright.errors import ConfigurationError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
IGNORED_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".cr2", ".nef", ".arw", ".dng", ".raf")
"""Pictures too, but of formats that the server does not read: counted, so that nobody looks for them in vain."""

MOST = 500
"""Photos that one demo takes: 500 make a report of about 20 MB, and a browser still opens it at once."""

_SAMPLES = (
    ("skimage.data", "astronaut.png", "NASA, public domain"),
    ("skimage.data", "coins.png", "Brooklyn Museum, no known copyright restrictions"),
    ("skimage.data", "camera.png", "Lav Varshney, CC0"),
    ("skimage.data", "chelsea.png", "Stéfan van der Walt, CC0"),
    ("skimage.data", "coffee.png", "Rachel Michetti, CC0"),
    ("skimage.data", "rocket.jpg", "SpaceX, public domain"),
    ("skimage.data", "hubble_deep_field.jpg", "NASA, public domain"),
    ("sklearn.datasets.images", "china.jpg", "danielbuechele, CC BY 2.0"),
    ("sklearn.datasets.images", "flower.jpg", "vultilion, CC BY 2.0"),
)
"""Package, file, credit. All of them lie in the packages themselves, so that nothing is downloaded."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo on disk."""

    name: str
    """What it is called in what the demo shows: printable, valid Unicode; not a path to open."""
    path: Path
    credit: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search for photos came to."""

    photos: tuple[Photo, ...]
    ignored: int = 0
    """Pictures of formats that the server does not read."""
    left_out: int = 0
    """Photos beyond ``MOST``."""


def sample_photos() -> Found:
    """The photos inside scikit-image and scikit-learn.

    Raises:
        ConfigurationError: scikit-image is not installed.
    """
    photos = []
    for package, name, credit in _SAMPLES:
        try:
            path = Path(str(importlib.resources.files(package) / name))
        except ModuleNotFoundError as e:
            raise ConfigurationError(
                "the demo's photos come inside scikit-image, which is not installed: "
                "pip install 'labelwright[demo]'; or name a folder of your own photos with --photos"
            ) from e
        if path.is_file():
            photos.append(Photo(name, path, credit))
    return Found(tuple(photos))


def photos_in(folder: Path) -> Found:
    """The photos in a folder and the folders in it, by name; hidden files and folders are left alone.

    Raises:
        ConfigurationError: the folder is not there or can't be read, or holds no photo.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{shown(folder)} is not a folder; name one that holds photos")
    paths, ignored = [], 0
    for path in _files(folder):
        if path.suffix.lower() in SUFFIXES:
            paths.append(path)
        else:
            ignored += path.suffix.lower() in IGNORED_SUFFIXES
    if not paths:
        aside = f" ({ignored} of other formats)" if ignored else ""
        raise ConfigurationError(
            f"found no photo in {shown(folder)}{aside}: {', '.join(s[1:] for s in SUFFIXES)} are read"
        )
    photos = [Photo(shown(path.relative_to(folder)), path) for path in sorted(paths)]
    return Found(tuple(photos[:MOST]), ignored, max(0, len(photos) - MOST))


def shown(path: Path) -> str:
    """A path as text that can be printed: what is no UTF-8, and what would move the cursor, is replaced."""
    return _UNPRINTABLE.sub("\ufffd", os.fsencode(path).decode("utf-8", "replace"))


def _files(folder: Path) -> Iterator[Path]:
    def refuse(e: OSError) -> None:
        if e.filename == str(folder):
            raise ConfigurationError(f"{shown(folder)} can't be read: {e.strerror}") from e

    for base, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [f for f in folders if not f.startswith(".")]
        for name in names:
            path = Path(base, name)
            if not name.startswith(".") and path.is_file():
                yield path
