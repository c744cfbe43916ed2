"""Keeping bytes under keys: in a folder, in memory, or in an object store, whatever fsspec speaks to."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import fsspec.core
from fsspec.implementations.local import LocalFileSystem

from labelwright.errors import ConfigurationError, DoesNotExist, InvalidRequest, StoreError

MAX_KEY = 512
"""Characters in a key: object stores take 1024 bytes, bucket folder included."""

# No part begins with a dot: ".." is out, and the names of half-written files can't be keys.
_KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}(?:/[0-9A-Za-z_-][0-9A-Za-z._-]{0,199})*")
_PIECE = 2**18
"""Bytes of a piece that is streamed: from a folder 3 GB/s, and a megabyte is no faster."""
_TOGETHER = 64
"""Files that put_many holds open at once; a process may have 256 on some systems."""


class BlobStore:
    """Bytes by key; safe to share between threads and processes.

    A reader sees a key's old bytes or its new ones, never a part. In a local folder, what ``put`` has
    returned from is on disk: file and folder are synced, so it survives a power cut. Object stores promise
    the same of their puts; other file systems that fsspec knows (FTP, SSH, ...) do not.

    Every method raises ``InvalidRequest`` for an illegal key and ``StoreError`` when the storage fails.
    """

    def __init__(self, url: str, **options: Any) -> None:
        """
        Args:
            url: a folder's path, or an fsspec URL: ``file:///srv/media``, ``s3://bucket/media``.
            options: for fsspec, such as ``endpoint_url``.

        Raises:
            ConfigurationError: the URL's scheme is unknown, or its package is not installed.
        """
        try:
            # Other processes write too: a cached listing would hide their files.
            self._fs, root = fsspec.core.url_to_fs(_plain(url), use_listings_cache=False, **options)
        except (ImportError, ValueError) as e:
            raise ConfigurationError(f"the media store {urlsplit(url).scheme}:// can't be used: {e}") from None
        self._root = root.rstrip("/")
        self._folders = _Folders(self._root) if isinstance(self._fs, LocalFileSystem) else None

    def put(self, key: str, data: bytes) -> None:
        """Keep ``data`` under ``key``, in place of what was there."""
        self.put_many([(key, data)])

    def put_many(self, items: Iterable[tuple[str, bytes]]) -> None:
        """Keep several at once: on a local folder much cheaper, as each folder is synced once for 64 files.

        Where it fails midway, some of the keys are kept and some are not. Of a key that comes twice, the
        last bytes count.
        """
        pairs = iter(items)
        while batch := [(self._path(key), data) for key, data in itertools.islice(pairs, _TOGETHER)]:
            with _as_store_error("written"):
                if self._folders is not None:
                    _write_all(batch, self._folders)
                else:
                    self._fs.pipe(dict(batch))

    def get(self, key: str) -> bytes:
        """The bytes under ``key``.

        Raises:
            DoesNotExist: there are none.
        """
        path = self._path(key)
        with _as_store_error("read"):
            try:
                data: bytes = self._fs.cat_file(path)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise DoesNotExist(f"no media is kept under {key}") from None
            return data

    def size(self, key: str) -> int:
        """How many bytes lie under ``key``.

        Raises:
            DoesNotExist: there are none.
        """
        path = self._path(key)
        with _as_store_error("read"):
            try:
                info = self._fs.info(path)
            except (FileNotFoundError, NotADirectoryError):
                info = {"type": "none"}
            if info["type"] != "file":
                raise DoesNotExist(f"no media is kept under {key}")
            return int(info["size"])

    def pieces(self, key: str, start: int, length: int) -> Iterator[bytes]:
        """``length`` bytes from byte ``start`` on, a piece after the other; fewer where fewer are there.

        Raises:
            DoesNotExist: there are none; before the first piece.
        """
        path = self._path(key)
        with _as_store_error("read"):
            try:
                opened = self._fs.open(path, "rb")
            # The last one is the memory's word for a folder.
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError):
                raise DoesNotExist(f"no media is kept under {key}") from None
            with opened:
                opened.seek(start)
                while length > 0 and (piece := opened.read(min(length, _PIECE))):
                    length -= len(piece)
                    yield piece

    def head(self, key: str, length: int) -> bytes:
        """The first ``length`` bytes, or all where there are fewer.

        Raises:
            DoesNotExist: there are none.
        """
        return b"".join(self.pieces(key, 0, length))

    def exists(self, key: str) -> bool:
        path = self._path(key)
        with _as_store_error("read"):
            return bool(self._fs.isfile(path))

    def delete(self, key: str) -> None:
        """Forget ``key``; one that is not there is fine."""
        path = self._path(key)
        with (
            _as_store_error("deleted"),
            contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError),
        ):
            if self._folders is not None:
                os.unlink(path)
            elif self._fs.isfile(path):
                self._fs.rm_file(path)

    def delete_prefix(self, prefix: str) -> None:
        """Forget every key below the folder ``prefix``: ``a/b`` takes ``a/b/c``, not ``a/bc`` nor ``a/b``."""
        path = self._path(prefix)
        with _as_store_error("deleted"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if self._folders is not None:
                _remove_tree(path)
            else:
                below = [p for p in self._fs.find(path) if p.startswith(path + "/")]
                if below:
                    self._fs.rm(below)

    def _path(self, key: str) -> str:
        if len(key) > MAX_KEY or not _KEY.fullmatch(key):
            raise InvalidRequest(
                f"{key[:80]!r} is not a legal media key: parts of letters, digits, '-', '_' and '.', "
                f"joined by '/', none beginning with '.', of {MAX_KEY} characters at most"
            )
        return f"{self._root}/{key}"


def _plain(url: str) -> str:
    """A file URL as a path: fsspec would take the %20 in it for a name's own characters."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return url
    if parts.netloc not in ("", "localhost"):
        raise ConfigurationError(f"{url!r} is not a legal media store: a file URL begins with file:///")
    return url2pathname(parts.path)


@contextlib.contextmanager
def _as_store_error(verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise StoreError(f"media can't be {verb}: {e.strerror or type(e).__name__}") from e


def _write_all(items: list[tuple[str, bytes]], folders: _Folders) -> None:
    """Write, sync and rename each file, then sync the folders.

    All are written before the first is synced, so that the file system can put many into one commit.
    """
    open_files: list[tuple[int, str, str]] = []
    try:
        for path, data in items:
            fd, temporary = _create_beside(path, folders)
            open_files.append((fd, temporary, path))
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        for fd, _, _ in open_files:
            os.fsync(fd)
        while open_files:
            fd, temporary, path = open_files[0]
            os.replace(temporary, path)
            del open_files[0]
            os.close(fd)
    finally:
        for fd, temporary, _ in open_files:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(temporary)
    for folder in {os.path.dirname(path) for path, _ in items}:
        # Gone means that someone has just deleted it with all that was in it.
        with contextlib.suppress(FileNotFoundError):
            _sync_folder(folder)


def _create_beside(path: str, folders: _Folders) -> tuple[int, str]:
    folder = os.path.dirname(path)
    # Again if another process removed the folder between the two steps.
    for _ in range(5):
        folders.make(folder)
        temporary = f"{folder}/.{secrets.token_hex(8)}.part"
        with contextlib.suppress(FileNotFoundError):
            return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), temporary
    raise FileNotFoundError(2, "the folder vanished", folder)


class _Folders:
    """Makes folders and remembers which ones this process has synced into their parents.

    A folder that is there already may be another process's, made a moment ago and not yet synced.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._synced: set[str] = set()

    def make(self, folder: str) -> None:
        """Make a folder and those above it, so that a power cut keeps them."""
        there = os.path.isdir(folder)
        if there and (folder in self._synced or len(folder) <= len(self._root)):
            return
        parent = os.path.dirname(folder)
        self.make(parent)
        if not there:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder)
        _sync_folder(parent)
        # A bound on what is remembered; a forgotten folder costs one more sync.
        if len(self._synced) >= 10_000:
            self._synced.clear()
        self._synced.add(folder)


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove_tree(path: str) -> None:
    # A file that is put in meanwhile makes the last rmdir fail; it is then found by the next round.
    for attempt in itertools.count(1):
        try:
            shutil.rmtree(path)
            return
        except (FileNotFoundError, NotADirectoryError):
            raise
        except OSError:
            if attempt == 5:
                raise
