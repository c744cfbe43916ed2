"""Taking a request's body from the connection, up to a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import Receive

from labelwright.errors import BadRequestFormat, LabelwrightError, RequestTooLarge

LINGER = 5.0
"""Seconds in which the rest of a body that is too large is taken and thrown away. Most clients read no answer before
they have sent all, and a connection that is closed while they send loses it."""


class Gone(Exception):
    """The client has closed the connection."""


async def take_body(
    receive: Receive, headers: Mapping[str, str], limit: int, *, patience: int
) -> bytes | LabelwrightError:
    """The body, or what is wrong with it: more than ``limit`` bytes, or a coding that is not read.

    Args:
        patience: bytes that are taken at most of what is thrown away.

    Raises:
        Gone: the client is.
    """
    coding = headers.get("content-encoding", "").strip().lower()
    announced = headers.get("content-length", "")
    wrong: LabelwrightError | None = None
    pieces = _Chunks(receive)
    if announced.isdigit() and int(announced) > limit:
        wrong = _too_large(limit)
        if "100-continue" in headers.get("expect", "").lower():
            return wrong
    elif coding not in ("", "identity"):
        wrong = BadRequestFormat(f"the body comes with Content-Encoding {coding!r}; send it as it is")
    if wrong is None:
        chunks: list[bytes] = []
        size = 0
        async for chunk in pieces:
            size += len(chunk)
            if size > limit:
                wrong = _too_large(limit)
                chunks.clear()
                break
            chunks.append(chunk)
        else:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    await _throw_away(pieces, patience)
    return wrong


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"the body has more than {limit} bytes; send less at once (setting max_message_bytes)")


class _Chunks:
    """The pieces of a body as they come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        if not self._more:
            raise StopAsyncIteration
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._more = message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk


async def _throw_away(pieces: _Chunks, limit: int) -> None:
    left = limit
    try:
        async with asyncio.timeout(LINGER):
            async for chunk in pieces:
                left -= len(chunk)
                if left < 0:
                    return
    except TimeoutError:
        return
