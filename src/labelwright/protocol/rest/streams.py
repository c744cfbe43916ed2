"""Replies that come one after another, as lines of JSON while they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor
from typing import Any, cast

from google.protobuf.message import Message
from starlette.types import Receive, Send

from labelwright.protocol.rest.printing import print_message
from labelwright.protocol.rest.statuses import http_status

NDJSON = b"application/x-ndjson"

Line = tuple[bytes, int]
"""A reply as JSON with its line end, and the HTTP status it would have."""


async def send_lines(
    replies: Iterator[Message], pool: Executor, receive: Receive, send: Send, *, head: bool = False
) -> None:
    """Send replies as they come, until the last one or until the client is gone.

    The HTTP status is the first reply's; a later failure shows in its own line.

    Args:
        pool: where the replies are made; each takes a thread for as long as it is made.
        head: whether only the status is asked for; then the first reply is the last.
    """
    loop = asyncio.get_running_loop()
    gone = loop.create_task(_gone(receive))
    making: asyncio.Future[Line | None] | None = None
    started = False
    try:
        while True:
            making = loop.run_in_executor(pool, _next_line(replies))
            both: set[asyncio.Future[Any]] = {making, gone}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            line, making = making.result(), None
            if not started:
                await send(_start(line[1] if line else 200))
                started = True
            if line is None or head:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            await send({"type": "http.response.body", "body": line[0], "more_body": True})
    finally:
        gone.cancel()
        _close(replies, making, pool)


def _start(status: int) -> dict[str, Any]:
    # X-Accel-Buffering is nginx's: a proxy that collects the lines would send them when all is over.
    headers = [(b"content-type", NDJSON), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
    return {"type": "http.response.start", "status": status, "headers": headers}


def _next_line(replies: Iterator[Message]) -> Callable[[], Line | None]:
    def work() -> Line | None:
        reply = next(replies, None)
        if reply is None:
            return None
        return print_message(reply) + b"\n", http_status(cast(Any, reply).status)

    return work


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _close(replies: Iterator[Message], making: asyncio.Future[Any] | None, pool: Executor) -> None:
    """End the handler, in a thread of the pool: what it does at its end may wait. A generator that works can't be
    closed, so one that is making a reply is closed behind it."""
    if not isinstance(replies, Generator):
        return

    def close(done: asyncio.Future[Any] | None = None) -> None:
        if done is not None and not done.cancelled():
            done.exception()
        pool.submit(replies.close)

    if making is None:
        close()
    else:
        making.add_done_callback(close)
