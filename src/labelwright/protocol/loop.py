"""The thread that holds the edge of the server, for a main program that is not asynchronous."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import tempfile
import threading
from concurrent.futures import Future

from starlette.types import ASGIApp

from labelwright.protocol.frontdoor import FrontDoor, Upstream
from labelwright.protocol.http import HttpServer
from labelwright.protocol.listeners import Address
from labelwright.protocol.tls import Contexts

UNIX_SOCKETS = hasattr(socket, "AF_UNIX")
FORCE = 5.0
"""Seconds that cutting the last connections may take."""

logger = logging.getLogger(__name__)


class EdgeLoop:
    """One asyncio loop in one thread, with the HTTP server and, where asked for, the front door."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked_to_stop: asyncio.Event | None = None
        self._grace = 0.0
        self._listen_port: int | None = None
        self._http_port: int | None = None

    @property
    def listen_port(self) -> int | None:
        """The front door's open port; None where there is no front door."""
        return self._listen_port

    @property
    def http_port(self) -> int | None:
        """The open port for HTTP alone; None where there is none."""
        return self._http_port

    def start(
        self,
        listen: Address | None,
        http: Address | None,
        grpc_upstream: Upstream | None,
        *,
        max_connections: int = 1024,
        tls: Contexts | None = None,
    ) -> None:
        """Open the addresses; returns once both are served.

        ``listen`` takes gRPC and HTTP and needs ``grpc_upstream``; ``http`` takes HTTP alone. Port 0 asks
        for any free one. With ``tls``, which gives the context for each new connection, both speak TLS.

        Raises:
            ConfigurationError: an address can't be opened; says which, why, and what to do.
            ValueError: ``listen`` without ``grpc_upstream``.
            RuntimeError: it runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the edge runs already; stop it before it is started again")
        if listen is not None and grpc_upstream is None:
            raise ValueError("listen takes gRPC calls as well: say with grpc_upstream which server answers them")
        started: Future[None] = Future()
        work = self._work(listen, http, grpc_upstream, max_connections, tls, started)
        self._thread = threading.Thread(target=asyncio.run, args=(work,), name="labelwright-edge", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self.stop(0)
            raise

    def stop(self, timeout: float = 5.0) -> bool:
        """Take no more connections, wait ``timeout`` seconds for the open ones to end, then cut them.

        False when a request still runs after that; the thread then ends with it, or with the process. The
        gRPC server should be stopped before or meanwhile: its clients hold their connections until it goes.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._grace = timeout
        if self._loop and self._asked_to_stop:
            # The loop is closed already where start failed.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._asked_to_stop.set)
        thread.join(timeout + FORCE)
        self._listen_port = self._http_port = None
        if thread.is_alive():
            logger.warning("a request still runs %.1f s after it was told to end", timeout + FORCE)
        return not thread.is_alive()

    async def _work(
        self,
        listen: Address | None,
        http: Address | None,
        grpc_upstream: Upstream | None,
        max_connections: int,
        tls: Contexts | None,
        started: Future[None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._asked_to_stop = asyncio.Event()
        parts: list[HttpServer | FrontDoor] = []
        with _private_folder() as folder:
            try:
                if http is not None and tls is None:
                    direct = HttpServer(self._app, address=http)
                    await direct.start()
                    parts.append(direct)
                    self._http_port = direct.port
                if listen is not None or (http is not None and tls is not None):
                    inner, upstream = await self._behind_the_door(folder)
                    parts.append(inner)
                    if http is not None and tls is not None:
                        # A door with HTTP behind it whatever is said: one place does TLS for both addresses.
                        door = FrontDoor(http, upstream, upstream, max_connections=max_connections, tls=tls)
                        await door.start()
                        parts.append(door)
                        self._http_port = door.port
                    if listen is not None and grpc_upstream is not None:
                        door = FrontDoor(listen, grpc_upstream, upstream, max_connections=max_connections, tls=tls)
                        await door.start()
                        parts.append(door)
                        self._listen_port = door.port
                started.set_result(None)
                await self._asked_to_stop.wait()
            except BaseException as e:
                if started.done():
                    raise
                started.set_exception(e)
            finally:
                # At once: the door's HTTP connections end when their server closes them.
                await asyncio.gather(*(part.stop(self._grace) for part in parts))

    async def _behind_the_door(self, folder: str) -> tuple[HttpServer, Upstream]:
        """The HTTP server that only the front door reaches."""
        if UNIX_SOCKETS:
            path = f"{folder}/http.sock"
            server = HttpServer(self._app, path=path)
            await server.start()
            return server, Upstream(path)
        server = HttpServer(self._app, address=("127.0.0.1", 0))
        await server.start()
        return server, Upstream(("127.0.0.1", server.port))


def _private_folder() -> tempfile.TemporaryDirectory[str]:
    # Short: a unix socket's whole path may have about 100 characters.
    return tempfile.TemporaryDirectory(prefix="lw-")
