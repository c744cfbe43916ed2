"""The demo's photos, for the page of an empty store: it loads them through the API, as any client would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labelwright.errors import DoesNotExist
from labelwright.protocol.http import error_response
from labelwright.review.endpoint import as_json
from labelwright.review.security import DATA_HEADERS


class Sample(Protocol):
    """A photo that lies on this machine."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def path(self) -> Path:
        """Where it lies."""

    @property
    def credit(self) -> str:
        """Who took it, and on which terms it is shown."""


Samples = Callable[[], Sequence[Sample]]
"""Finds the photos; none where they are not installed."""


def none_installed() -> Sequence[Sample]:
    """No photos."""
    return ()


def routes(samples: Samples) -> list[BaseRoute]:
    """``GET /ui/samples``, which names the photos, and ``GET /ui/samples/{n}``, which has the bytes of one.

    They ask for no key: the photos come with public packages, and are the same everywhere.
    """

    async def names(_: Request) -> Response:
        found = await run_in_threadpool(samples)
        return as_json({"photos": [{"name": s.name, "credit": s.credit} for s in found]})

    async def photo(request: Request) -> Response:
        found = await run_in_threadpool(samples)
        n = request.path_params["n"]
        if n >= len(found):
            return error_response(DoesNotExist("there is no such photo"), request.scope)
        data = await run_in_threadpool(found[n].path.read_bytes)
        return Response(data, headers={**DATA_HEADERS, "content-type": "application/octet-stream"})

    return [
        Route("/ui/samples", names, methods=["GET"]),
        Route("/ui/samples/{n:int}", photo, methods=["GET"]),
    ]
