"""Labelled sets that the loop is played on: scikit-learn's digits, an .npz file, a folder with one folder a concept."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelwright.errors import ConfigurationError, LabelwrightError
from labelwright.media.decode import decode_image
from labelwright.models.builtin import descriptor

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Progress = Callable[[float, str], None]

DIGITS: Final = "digits"
FEWEST: Final = 20
# Fewer items can't be split into training, verification and a rest.
_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
_MAX_PIXELS: Final = 100_000_000
_SIDE: Final = 64
# What the descriptor is given at least, of a JPEG: twice its own square.
_CHUNK: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Vectors and what each of them shows."""

    name: str
    vectors: Floats
    """(n, d)."""
    labels: Ints
    """(n,) 0..len(concepts)-1."""
    concepts: tuple[str, ...]
    """Sorted."""
    left_out: int = 0
    """Files that could not be read as images."""


def load(given: str, progress: Progress | None = None) -> DataSet:
    """The set that a name, a file or a folder stands for.

    "digits": scikit-learn's 1,797 digits. FILE.npz: X and y, where X is uint8 images (n, h, w) or (n, h, w, 3), or
    vectors (n, d), and y is a label each; nothing in it is unpickled. A folder: one folder a concept, images within.
    Images become vectors by the built-in descriptor.

    Raises:
        ConfigurationError: there is no such set, or it can't be used; the message says why.
    """
    tell = progress or (lambda _share, _what: None)
    if given == DIGITS:
        return _digits(tell)
    path = Path(given)
    if path.is_dir():
        return _folder(path, tell)
    if path.is_file():
        return _archive(path, tell)
    raise ConfigurationError(
        f'there is no set {given!r}: legal are "{DIGITS}", an .npz file with X and y, and a folder with one folder a '
        f"concept"
    )


def _digits(tell: Progress) -> DataSet:
    from sklearn.datasets import load_digits

    found = load_digits()
    # 0..16 in the file; 15 would not reach white, 16 would wrap.
    images = np.minimum(found.images * 16, 255).astype(np.uint8)
    return _checked(DIGITS, _described(_grey(images), len(images), tell), found.target)


def _archive(path: Path, tell: Progress) -> DataSet:
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = {"X", "y"} - set(stored.files)
            if missing:
                raise ConfigurationError(f"{path} has no {' and no '.join(sorted(missing))}; it holds {stored.files}")
            x, y = stored["X"], stored["y"]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as e:
        raise ConfigurationError(f"{path} can't be read as .npz: {e}") from e
    if y.ndim != 1 or len(y) != len(x):
        raise ConfigurationError(f"{path}: X has the shape {x.shape} and y {y.shape}; legal is one label for each row")
    if x.dtype == np.uint8 and x.ndim in (3, 4) and (x.ndim == 3 or x.shape[3] == 3) and x.size:
        return _checked(path.stem, _described(_grey(x) if x.ndim == 3 else x, len(x), tell), y)
    if x.ndim == 2 and x.dtype.kind in "fiu":
        return _checked(path.stem, x.astype(np.float32), y)
    raise ConfigurationError(
        f"{path}: X is {x.dtype} {x.shape}; legal are uint8 images (n, h, w) or (n, h, w, 3), and vectors (n, d)"
    )


def _folder(path: Path, tell: Progress) -> DataSet:
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    files = [
        (file, folder.name)
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in _SUFFIXES and file.is_file()
    ]
    if not files:
        raise ConfigurationError(f"found no images in the folders of {path}; one folder a concept is expected there")
    vectors, labels, left_out = [], [], 0
    for number, (file, concept) in enumerate(files, 1):
        try:
            image = decode_image(file.read_bytes(), max_pixels=_MAX_PIXELS, target=_SIDE)
        except (LabelwrightError, OSError):
            left_out += 1
            continue
        vectors.append(descriptor.describe([image])[0])
        labels.append(concept)
        tell(number / len(files), "describing images")
    rows = np.asarray(vectors, np.float32).reshape(len(vectors), descriptor.DIMENSIONS)
    return _checked(path.name, rows, np.asarray(labels, np.str_), left_out)


def _grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, h, w) seen as (n, h, w, 3), without a copy."""
    return np.broadcast_to(images[..., None], (*images.shape, 3))


def _described(images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], n: int, tell: Progress) -> Floats:
    out = np.empty((n, descriptor.DIMENSIONS), np.float32)
    for start in range(0, n, _CHUNK):
        out[start : start + _CHUNK] = descriptor.describe(
            [np.ascontiguousarray(image) for image in images[start : start + _CHUNK]]
        )
        tell(min(start + _CHUNK, n) / n, "describing images")
    return out


def _checked(name: str, vectors: Floats, labels: NDArray[Any] | Iterable[Any], left_out: int = 0) -> DataSet:
    said = np.asarray(labels)
    if said.dtype.kind not in "USbiuf":
        raise ConfigurationError(f"{name}: labels are {said.dtype}; legal are numbers and texts")
    concepts, numbers = np.unique(said, return_inverse=True)
    if len(vectors) < FEWEST:
        raise ConfigurationError(f"{name} has {len(vectors)} items; {FEWEST} at least are needed to play the loop")
    if len(concepts) < 2:
        raise ConfigurationError(f"{name} has one concept alone; two at least are needed to play the loop")
    if vectors.shape[1] == 0 or not np.isfinite(vectors).all():
        raise ConfigurationError(f"{name} has vectors that are empty or hold what is no finite number")
    return DataSet(name, vectors, numbers.astype(np.int64), tuple(str(c) for c in concepts), left_out)
