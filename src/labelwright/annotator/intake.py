"""From claimed inputs to a source: fetch, check, decode. An input that fails here fails alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright import metrics
from labelwright.config import Settings
from labelwright.errors import DoesNotExist, InputFailed, InputInvalidArgument, LabelwrightError
from labelwright.media import formats
from labelwright.media.blobs import BlobStore
from labelwright.media.decode import decode_image
from labelwright.media.fetch import Fetcher
from labelwright.operators.values import Pixels, Source

WORKING_SIDE = 1024
"""Pixels of the longer side that models get at most. The built-in ones look at 800 or fewer; a batch of 16
full photos of 12 megapixels would hold 600 MB, so cut down it holds 50."""

TEXT_LIMIT = 1_000_000
"""Bytes that a text fetched from a URL may have."""


@dataclass(frozen=True, slots=True)
class Item:
    """An input to be taken in."""

    id: str
    data: Data
    media: str | None = None
    """Where its bytes lie in the media store already."""
    keep_as: str | None = None
    """Where bytes that are fetched shall be kept; None: nowhere."""


@dataclass(slots=True)
class Taken:
    """What was taken in."""

    source: Source
    rows: list[int]
    """For each input of the source, which item it is."""
    failed: dict[int, LabelwrightError] = field(default_factory=dict)
    kept: dict[int, str] = field(default_factory=dict)
    """Item to the key under which its fetched bytes were kept."""


class Intake:
    """Takes inputs in; keeps a pool of threads for waiting on the network and for decoding."""

    def __init__(self, settings: Settings, blobs: BlobStore) -> None:
        self._settings = settings
        self._blobs = blobs
        self._fetcher = Fetcher.from_settings(settings)
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="decode")

    def take(self, items: Sequence[Item]) -> Taken:
        """Fetch, keep and decode a batch."""
        failed: dict[int, LabelwrightError] = {}
        laps = metrics.Laps()
        content = self._content(items, failed)
        laps.lap("fetch")
        kept = self._keep(items, content, failed)
        laps.lap("keep")
        self._check(items, content, failed)
        pixels = self._decode(items, content, failed)
        laps.lap("decode")
        rows = [i for i in range(len(items)) if i not in failed]
        data = [self._text(items[i], content.get(i)) for i in rows]
        return Taken(Source(data, [pixels.get(i) for i in rows], [items[i].id for i in rows]), rows, failed, kept)

    def _content(self, items: Sequence[Item], failed: dict[int, LabelwrightError]) -> dict[int, bytes]:
        """The bytes of each item that has any: given, kept already, or fetched."""
        content: dict[int, bytes] = {}
        urls: dict[int, str] = {}
        for i, item in enumerate(items):
            if given := given_bytes(item.data):
                content[i] = given
            elif item.media is not None:
                try:
                    # Nobody looks into a video or an audio that is kept already: its first bytes say what it is.
                    whole = kind_of(item.data) not in ("video", "audio")
                    content[i] = self._blobs.get(item.media) if whole else self._blobs.head(item.media, formats.HEAD)
                except DoesNotExist:
                    failed[i] = InputFailed("its media is no longer in the media store; delete it and add it again")
                except LabelwrightError as e:
                    failed[i] = e
            elif url := url_of(item.data):
                urls[i] = url
            elif not item.data.text.raw and (kind_of(item.data) is not None or not item.data.ByteSize()):
                # Without media, concepts or regions may still be there for an operator that is tried on its own.
                failed[i] = InputInvalidArgument("it holds no image, video, audio or text")
        for i, found in zip(urls, self._fetcher.fetch_all(list(urls.values())), strict=True):
            if isinstance(found, LabelwrightError):
                failed[i] = found
            else:
                content[i] = found.data
        return content

    def _keep(
        self, items: Sequence[Item], content: dict[int, bytes], failed: dict[int, LabelwrightError]
    ) -> dict[int, str]:
        new = {
            i: key
            for i in content
            if items[i].media is None and i not in failed and (key := items[i].keep_as) is not None
        }
        self._blobs.put_many([(key, content[i]) for i, key in new.items()])
        return new

    @staticmethod
    def _check(items: Sequence[Item], content: dict[int, bytes], failed: dict[int, LabelwrightError]) -> None:
        """Whether what is not decoded is what it is said to be. After it was kept: its owner may want to see it."""
        for i, data in content.items():
            if (kind := kind_of(items[i].data)) is not None and i not in failed:
                try:
                    formats.check(kind, data[: formats.HEAD])
                except LabelwrightError as e:
                    failed[i] = e

    def _decode(
        self, items: Sequence[Item], content: dict[int, bytes], failed: dict[int, LabelwrightError]
    ) -> dict[int, Pixels]:
        images = [i for i in content if kind_of(items[i].data) == "image"]
        pixels: dict[int, Pixels] = {}
        for i, found in zip(images, self._pool.map(self._image, [content[i] for i in images]), strict=True):
            if isinstance(found, LabelwrightError):
                failed[i] = found
            else:
                pixels[i] = found
        return pixels

    def _image(self, data: bytes) -> Pixels | LabelwrightError:
        try:
            image = decode_image(data, max_pixels=self._settings.max_pixels, target=WORKING_SIDE)
        except LabelwrightError as e:
            return e
        height, width = image.shape[:2]
        scale = WORKING_SIDE / max(height, width)
        if scale >= 1:
            return image
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small: Pixels = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        # As decoded images are: every node looks at the same pixels.
        small.flags.writeable = False
        return small

    @staticmethod
    def _text(item: Item, content: bytes | None) -> Data:
        """The input's data as nodes see it: no media bytes; a text that stood behind a URL is in it."""
        if content is None:
            return item.data
        data = Data()
        data.CopyFrom(item.data)
        for kind in ("image", "video", "audio"):
            if data.HasField(kind):
                getattr(data, kind).ClearField("base64")
        if data.HasField("text") and not data.text.raw:
            data.text.raw = content[:TEXT_LIMIT].decode("utf-8", errors="replace")
        return data


def kind_of(data: Data) -> str | None:
    """Which kind of input this is: image, video, audio or text; None where it holds none of them."""
    for kind in ("image", "video", "audio", "text"):
        if data.HasField(kind):
            return kind
    return None


def given_bytes(data: Data) -> bytes:
    """The media bytes that the message itself carries."""
    return data.image.base64 or data.video.base64 or data.audio.base64


def url_of(data: Data) -> str:
    """The address of the input's media; "" where it has none."""
    return data.image.url or data.video.url or data.audio.url or data.text.url
