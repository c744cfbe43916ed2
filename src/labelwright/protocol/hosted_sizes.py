"""The smaller sizes of media: made when they are first asked for, kept beside the original, and made once."""

from __future__ import annotations

import asyncio
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from labelwright.config import Settings
from labelwright.errors import DoesNotExist, InputFailed, LabelwrightError
from labelwright.media import frames, variants
from labelwright.media.blobs import BlobStore

AT_ONCE = 2
"""Sizes that are made at the same time: an image of 100 megapixels takes up to 2.4 GB while it is decoded."""

_REMEMBERED = 10_000
"""Sizes that could not be made and are not tried again, as long as the server runs."""


class Sizes:
    """Gives the keys of sizes in the media store, and makes those that are not there. Used by one loop.

    Args:
        is_there: whether an input has not been deleted, by its key.
    """

    def __init__(self, blobs: BlobStore, settings: Settings, is_there: Callable[[int], bool]) -> None:
        self._blobs = blobs
        self._max_pixels = settings.max_pixels
        self._is_there = is_there
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._hopeless: OrderedDict[str, str] = OrderedDict()

    async def key(self, pk: int, original: str, size: str) -> str:
        """Where a size of an input's media lies.

        Args:
            original: the key of the media itself.

        Raises:
            DoesNotExist: it can't be made: the media is broken, or too large to be decoded.
            StoreError: the media store fails.
        """
        key = variants.key_of(original, size)
        if (why := self._hopeless.get(key)) is not None:
            raise DoesNotExist(why)
        if not await run_in_threadpool(self._blobs.exists, key):
            if key not in self._under_way:
                task = asyncio.create_task(self._make(pk, original, size, key))
                self._under_way[key] = task
                task.add_done_callback(lambda _: self._under_way.pop(key, None))
            # A client that hangs up takes nothing from the others that wait for the same.
            await asyncio.shield(self._under_way[key])
        return key

    async def _make(self, pk: int, original: str, size: str, key: str) -> None:
        async with self._turns:
            await run_in_threadpool(self._make_now, pk, original, size, key)

    def _make_now(self, pk: int, original: str, size: str, key: str) -> None:
        try:
            made = self._video(original) if size == frames.THUMBNAIL else self._image(original, size)
        except InputFailed as e:
            # It took too long this time, perhaps since others were at it.
            raise DoesNotExist(f"the size {size!r} can't be made now: {e.details}") from None
        except LabelwrightError as e:
            if e.http_status >= 500:
                raise
            why = f"the size {size!r} can't be made of this input's media: {e.details}"
            self._hopeless[key] = why
            while len(self._hopeless) > _REMEMBERED:
                self._hopeless.popitem(last=False)
            raise DoesNotExist(why) from None
        self._blobs.put(key, made)
        if not self._is_there(pk):
            # It was deleted meanwhile, and its sizes with it, this one not among them.
            self._blobs.delete_prefix(variants.sizes_below(original))
            raise DoesNotExist("the input has just been deleted")

    def _image(self, original: str, size: str) -> bytes:
        return variants.make(self._blobs.get(original), size, max_pixels=self._max_pixels)

    def _video(self, original: str) -> bytes:
        length = self._blobs.size(original)
        with tempfile.TemporaryDirectory(prefix="lw-frame-", ignore_cleanup_errors=True) as folder:
            copy = Path(folder) / "video"
            with copy.open("wb") as out:
                for piece in self._blobs.pieces(original, 0, length):
                    out.write(piece)
            return frames.thumbnail(copy, max_pixels=self._max_pixels)
