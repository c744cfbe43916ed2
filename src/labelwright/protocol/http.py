"""The HTTP side of the address: the app's frame, and the server that carries it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence

import h11
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

from labelwright.errors import BadRequestFormat, DoesNotExist, LabelwrightError
from labelwright.protocol.dispatch import request_id
from labelwright.protocol.listeners import Address, open_listeners, open_unix_listener

log = structlog.get_logger("labelwright.http")

MAX_HEAD = 64 * 1024
"""Bytes of a request before its body: ids in a query by the hundred, and no more."""


def error_response(error: LabelwrightError, scope: Scope | None = None) -> JSONResponse:
    """An error that is no call's, in the API's envelope, under its HTTP status; logged, as calls are.

    Args:
        scope: of the request that it answers; None where what came is no request.
    """
    headers, asked = ({}, "") if scope is None else (Headers(scope=scope), f"{scope['method']} {scope['path']}")
    req_id = request_id(headers)
    # In ASCII and short: the path is a stranger's, and a log is read in terminals.
    log.info("refused", request=ascii(asked[:200]), code=error.code, req_id=req_id)
    status = {
        "code": error.code,
        "description": error.description,
        "details": error.details,
        "req_id": req_id,
        "http_status_code": error.http_status,
    }
    return JSONResponse({"status": status}, status_code=error.http_status)


def build_app(ready: Callable[[], bool], routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The app with ``GET /healthz``, these routes, and the API's 404; ``ready`` is asked on the loop, must not wait."""

    async def health(_: Request) -> Response:
        if ready():
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "not ready"}, status_code=503)

    async def unknown(request: Request, _: Exception) -> Response:
        # Not request.url.path: without a Host header that holds the path of our unix socket.
        at = f"{request.method} {request.scope['path']}"
        return error_response(DoesNotExist(f"nothing is served at {at}; GET /docs shows what is"), request.scope)

    app = Starlette(
        routes=[Route("/healthz", health, methods=["GET"]), *routes],
        # Starlette would answer 405 to a known path with another method: to the API that is one more unknown call.
        exception_handlers={404: unknown, 405: unknown},
    )
    app.router.redirect_slashes = False
    return app


class HttpServer:
    """Serves an ASGI app inside the running asyncio loop, on a unix socket, an address, or both.

    ``path`` is below 100 characters; ``address`` is (host, port), port 0 for any free one.
    """

    def __init__(self, app: ASGIApp, *, path: str | None = None, address: Address | None = None) -> None:
        self._app = app
        self._path = path
        self._address = address
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._port = address[1] if address else 0

    @property
    def port(self) -> int:
        """The open TCP port; the asked one before ``start``, 0 when there is none."""
        return self._port

    async def start(self) -> None:
        """Returns once connections are accepted.

        Raises:
            ConfigurationError: the address or the path can't be opened; says which, why, and what to do.
        """
        sockets = await open_listeners(self._address) if self._address else []
        if sockets:
            self._port = int(sockets[0].getsockname()[1])
        try:
            if self._path:
                sockets.append(open_unix_listener(self._path))
            self._server = _Server(_config(self._app))
            self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets))
            accepting = asyncio.ensure_future(self._server.accepting.wait())
            await asyncio.wait({self._serving, accepting}, return_when=asyncio.FIRST_COMPLETED)
            accepting.cancel()
            if self._serving.done():
                self._serving.result()
        except BaseException:
            for sock in sockets:
                sock.close()
            raise

    async def stop(self, grace: float = 5.0) -> None:
        """Close idle connections, wait ``grace`` seconds for the running requests, then cut them."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.wait({self._serving}, timeout=grace)
        if not self._serving.done():
            self._server.cut()
        await self._serving
        self._server = self._serving = None
        if self._path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)


class _Http(H11Protocol):
    """uvicorn's HTTP, which says in the API's envelope too that what came is none."""

    def send_400_response(self, msg: str) -> None:
        answer = error_response(
            BadRequestFormat(f"{msg} The first line and the headers of a request may have {MAX_HEAD} bytes together")
        )
        headers = [*answer.raw_headers, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=answer.status_code, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _Server(uvicorn.Server):
    """uvicorn as a part of a program: it leaves the signals alone and says when it accepts."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    def cut(self) -> None:
        self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Http,
        h11_max_incomplete_event_size=MAX_HEAD,
        ws="none",
        lifespan="off",
        # Nobody in front of us is known, so nobody's word on the client's address is taken.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        # Clients keep connections for reuse for a minute or so; one that we close first fails their next call.
        timeout_keep_alive=75,
    )
