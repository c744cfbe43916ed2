"""Media that we keep, over HTTP: their addresses, and the routes behind these.

An address is ``<base>/hosted/<size>/inputs/<key>``. It opens to whoever may call GetInput for the input, by the same
keys, and to nobody else, unless it is signed: then it opens by itself until it ends.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import structlog
from clarifai_grpc.grpc.api.resources_pb2 import Data, HostedURL
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from labelwright.annotator.intake import kind_of
from labelwright.errors import DoesNotExist, LabelwrightError, SignatureInvalid
from labelwright.media import formats, variants
from labelwright.media.frames import THUMBNAIL
from labelwright.media.signing import has_ended
from labelwright.media.variants import ORIGINAL, SIDES
from labelwright.protocol.dispatch import Call, Server, call_of
from labelwright.protocol.hosted_sizes import Sizes
from labelwright.protocol.http import error_response
from labelwright.protocol.ranges import Unsatisfiable, http_date, is_unchanged, wanted_range
from labelwright.protocol.wire import parse
from labelwright.store import apps, inputs

log = structlog.get_logger("labelwright.hosted")

PREFIX = "/hosted"
SIZES: dict[str, tuple[str, ...]] = {
    "image": (ORIGINAL, *SIDES),
    "video": (ORIGINAL, THUMBNAIL),
    "audio": (ORIGINAL,),
    "text": (ORIGINAL,),
}
"""The sizes in which each kind of media is shown."""

UNKNOWN = "application/octet-stream"

_SAFE_NAME = re.compile(r"[^0-9A-Za-z._-]+")


class Hosting:
    """Makes the addresses that one call shows. Made before a transaction of the store begins, not within one."""

    def __init__(self, call: Call) -> None:
        base = call.base_url
        self._prefix = f"{base}{PREFIX}" if base else ""
        self._signer = call.server.signer.ready()
        self._expires = int(time.time()) + call.server.settings.hosted_seconds

    def show(self, data: Data, pk: int, *, kept: bool) -> None:
        """Write into an input's data where its media can be had.

        Args:
            data: as the store has it; its URL is the one that the client gave, "" for an input sent as bytes.
            pk: the input's key.
            kept: whether its bytes lie in the media store.
        """
        kind = kind_of(data)
        if kind is None or not self._prefix:
            return
        media: Any = getattr(data, kind)
        if not kept and not (kind == "text" and media.raw):
            return
        path = suffix(pk)
        hosted: HostedURL = media.hosted
        hosted.Clear()
        hosted.prefix, hosted.suffix = self._prefix, path
        hosted.sizes.extend(SIZES[kind])
        if not media.url:
            signature = self._signer.sign(path, self._expires)
            media.url = f"{self._prefix}/{ORIGINAL}/{path}?expires={self._expires}&signature={signature}"


def suffix(pk: int) -> str:
    """What the addresses of an input end with, and what is signed: all its sizes, and no other input's."""
    # Not its id: that of a deleted input may be given to another, and the old address must not lead there.
    return f"inputs/{pk}"


@dataclass(frozen=True, slots=True)
class Found:
    """Media that may be shown to who asks."""

    name: str
    """The name of the file to save it as."""
    mime: str
    size: int
    """Bytes."""
    etag: str
    modified: int
    """Seconds since 1970."""
    key: str = ""
    """Where it lies in the media store; "" for a text that stands in its row."""
    text: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it. It is a stranger's: no browser is to run it, or take it for something else."""
        kind = "attachment" if self.mime == UNKNOWN else "inline"
        return {
            "content-type": self.mime,
            "content-disposition": f'{kind}; filename="{self.name}"',
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox; default-src 'none'",
            # Kept by the one client, which asks each time whether it is still there: it may be deleted any moment.
            "cache-control": "private, no-cache",
            "vary": "authorization, x-clarifai-session-token",
            "accept-ranges": "bytes",
            "etag": self.etag,
            "last-modified": http_date(self.modified),
        }


def routes(server: Server) -> list[BaseRoute]:
    """The route of hosted media, for GET and HEAD."""
    media = _Media(server)

    async def show(request: Request) -> Response:
        headers = dict(request.headers)
        query = request.query_params
        try:
            row = await run_in_threadpool(
                media.input_of,
                request.path_params["key"],
                headers,
                query.get("expires", ""),
                query.get("signature", ""),
            )
            found = await media.find(row, request.path_params["size"])
            return await _answer(media, request.method, headers, found)
        except LabelwrightError as e:
            return _refusal(e, request)
        except Exception as e:  # as in the dispatcher: no traceback reaches a client
            log.error("hosted media could not be shown", path=request.scope["path"], exc_info=e)
            return _refusal(LabelwrightError(f"internal error ({type(e).__name__}); the log has more"), request)

    return [Route(f"{PREFIX}/{{size}}/inputs/{{key}}", show, methods=["GET"])]


class _Media:
    """Who may see which media, and where it lies."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sizes = Sizes(server.blobs, server.settings, self._is_there)

    def input_of(self, key: str, headers: Mapping[str, str], expires: str, signature: str) -> Row[Any]:
        """The row of the input, for somebody who may see it.

        Raises:
            SignatureInvalid: the address has been changed, or has ended.
            DoesNotExist: it is not there, or who asks may not know of it.
            LabelwrightError: the key that came is not good for GetInput.
        """
        # By another spelling of the number, such as 007, nothing is found; and the store's numbers have an end.
        pk = int(key) if key.isascii() and key.isdecimal() and len(key) <= 18 and not key.startswith("0") else 0
        signed = self._server.signer.is_signed(suffix(pk), expires, signature)
        if signed and not has_ended(int(expires)):
            with self._server.store.read() as conn:
                return _there(inputs.by_pk(conn, pk))
        named = headers.get("authorization") or headers.get("x-clarifai-session-token")
        if not named and signed:
            raise SignatureInvalid(
                f"this address was good until {http_date(int(expires))}; ask for the input anew to get another, "
                "or send the header  authorization: Key …"
            )
        if not named and signature:
            raise SignatureInvalid("the signature is not this address's: it has been changed, or cut on its way")
        if not named:
            raise DoesNotExist(
                "nothing is shown at this address to somebody without a key: send the header  authorization: Key …, "
                "or use the signed address in the input's url"
            )
        call = call_of(self._server, "GetInput", headers)
        with self._server.store.read() as conn:
            row = _there(inputs.by_pk(conn, pk))
            app = apps.by_pk(conn, row.app)
            return _there(row if app is not None and call.may_read(conn, app) else None)

    async def find(self, row: Row[Any], size: str) -> Found:
        """One size of an input's media; made now, where it is asked for the first time.

        Raises:
            DoesNotExist: the input has no media here, or none of that size, or it can't be made.
        """
        data = parse(Data, row.wire)
        kind = kind_of(data) or ""
        legal = SIZES.get(kind, ())
        if size not in legal:
            raise DoesNotExist(f"there is no size {size[:80]!r} of this input; there are: {', '.join(legal) or 'none'}")
        name = _SAFE_NAME.sub("_", row.id).strip("._") or "input"
        common = {
            "etag": f'"{hashlib.sha256(f"{row.pk} {row.media} {size}".encode()).hexdigest()[:32]}"',
            "modified": row.created_at // 1_000_000,
        }
        if row.media is None:
            text = data.text.raw.encode()
            if not text:
                raise DoesNotExist(
                    "its media is not kept here yet, or could not be fetched: the input's status says why"
                )
            return Found(f"{name}.txt", _TEXT, len(text), text=text, **common)
        if size != ORIGINAL:
            made = await self._sizes.key(row.pk, row.media, size)
            length = await run_in_threadpool(self._server.blobs.size, made)
            return Found(f"{name}-{size}.jpg", variants.MIME, length, key=made, **common)
        length, mime, ending = await run_in_threadpool(self._original, row.media, kind)
        return Found(f"{name}{ending}", mime, length, key=row.media, **common)

    def pieces(self, found: Found, start: int, end: int) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``end``; each piece is read when it is asked for, in a thread."""
        return self._server.blobs.pieces(found.key, start, end - start)

    def _original(self, key: str, kind: str) -> tuple[int, str, str]:
        blobs = self._server.blobs
        length = blobs.size(key)
        if kind == "text":
            return length, _TEXT, ".txt"
        found = formats.sniff(blobs.head(key, formats.HEAD))
        return (length, UNKNOWN, "") if found is None else (length, found.mime, f".{found.ending}")

    def _is_there(self, pk: int) -> bool:
        with self._server.store.read() as conn:
            return inputs.by_pk(conn, pk) is not None


_TEXT = "text/plain; charset=utf-8"


def _there(row: Row[Any] | None) -> Row[Any]:
    if row is None:
        raise DoesNotExist("there is no such input that this key or address may show")
    return row


async def _answer(media: _Media, method: str, request: Mapping[str, str], found: Found) -> Response:
    headers = found.headers
    if is_unchanged(request, found.etag, found.modified):
        del headers["content-type"]
        return Response(status_code=304, headers=headers)
    status, start, end = 200, 0, found.size
    # A range means something to GET alone.
    if method == "GET":
        try:
            part = wanted_range(request, found.size, found.etag, found.modified)
        except Unsatisfiable:
            return Response(status_code=416, headers={**headers, "content-range": f"bytes */{found.size}"})
        if part is not None:
            status, (start, end) = 206, part
            headers["content-range"] = f"bytes {start}-{end - 1}/{found.size}"
    headers["content-length"] = str(end - start)
    if method == "HEAD":
        return Response(headers=headers)
    if not found.key:
        return Response(found.text[start:end], status, headers)
    pieces = media.pieces(found, start, end)
    # The first one here: what has just been deleted is still a 404, and most media are no longer than a piece.
    first = await run_in_threadpool(next, pieces, b"")
    if len(first) == end - start:
        return Response(first, status, headers)
    return StreamingResponse(chain([first], pieces), status, headers)


def _refusal(error: LabelwrightError, request: Request) -> Response:
    response = error_response(error, request.scope)
    response.headers["cache-control"] = "no-store"
    if error.http_status == 401:
        response.headers["www-authenticate"] = "Key"
    return response
