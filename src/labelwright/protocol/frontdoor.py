"""The one address: a TCP splicer that sends gRPC connections to one server and all others to another.

The first bytes decide. A gRPC client opens with HTTP/2's 24-byte preface; nothing else may. What follows
is copied both ways unread, so neither server knows of the door, and the door knows nothing of calls.

Under TLS the door does the handshake, and the servers behind it see plain bytes. A client that agreed on h2
by ALPN is sent to gRPC; of any other the first decrypted bytes decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from labelwright import metrics
from labelwright.protocol.listeners import Address, open_listeners
from labelwright.protocol.tls import Contexts
from labelwright.protocol.tls_transport import TlsTransport

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FIRST_BYTES_TIMEOUT = 30.0
"""Seconds in which a client must have said what it speaks, a TLS handshake included."""
CONNECT_TIMEOUT = 10.0
DRAIN_PROBE = 30.0
"""Seconds in which a closed connection must take at least one of the bytes that still wait for it."""
NO_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

logger = logging.getLogger(__name__)


def is_grpc(first: bytes) -> bool | None:
    """Whether a connection that begins with ``first`` speaks HTTP/2; None while it may yet be either."""
    if len(first) >= len(PREFACE):
        return first.startswith(PREFACE)
    return None if PREFACE.startswith(first) else False


@dataclass(frozen=True)
class Upstream:
    """A server behind the door: the path of its unix socket, or its (host, port)."""

    address: str | Address

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect within 10 s.

        Raises:
            OSError: nobody answers there.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_TIMEOUT):
            if isinstance(self.address, str):
                await loop.create_unix_connection(factory, sock=await _connect_unix(self.address))
            else:
                await loop.create_connection(factory, *self.address)


async def _connect_unix(path: str) -> socket.socket:
    # Not left to asyncio: a unix connect to a full backlog says EAGAIN, which asyncio takes for "under way",
    # and it then hands back a socket that was never connected.
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
            except BlockingIOError:
                await asyncio.sleep(0.01)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


class End(asyncio.Protocol):
    """One of a connection's two sockets. What comes in here is handed to ``forward``."""

    # Protocol and transport pairs, not streams or bare sockets: in a trial none of the four ways was
    # measurably cheaper than another (43-52 us of CPU a call, all within the noise), and only transports
    # bring write buffers, half-close and TLS with them. They read up to 256 KiB at once and set TCP_NODELAY.

    def __init__(self, connection: Connection, forward: Callable[[bytes], None]) -> None:
        self.connection = connection
        self.forward = forward
        self.transport: asyncio.Transport | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.connection.opened(self)

    def data_received(self, data: bytes) -> None:
        self.forward(data)

    def eof_received(self) -> bool:
        return self.connection.ended(self)

    def pause_writing(self) -> None:
        if source := self.connection.other(self).transport:
            source.pause_reading()

    def resume_writing(self) -> None:
        if source := self.connection.other(self).transport:
            source.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio names it)
        self.lost = True
        self.connection.gone(self)


class Connection:
    """One client's connection: its first bytes, its upstream, and its end."""

    def __init__(self, choose: Callable[[bool], Upstream], forget: Callable[[Connection], None]) -> None:
        self._choose = choose
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._first = b""
        self._half_closed = False
        self._joining: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(FIRST_BYTES_TIMEOUT, self.abort)
        self.client = End(self, self._sniff)
        self.upstream = End(self, self._sniff)

    def other(self, end: End) -> End:
        return self.upstream if end is self.client else self.client

    def abort(self) -> None:
        """Drop both ends at once, with what they still hold."""
        self._timer.cancel()
        for end in (self.client, self.upstream):
            if end.transport:
                end.transport.abort()

    def opened(self, end: End) -> None:
        client, upstream = self.client.transport, self.upstream.transport
        if end is self.client or client is None or upstream is None:
            return
        if self.client.lost:
            upstream.abort()
            return
        # Here, not in the task that connects: a gRPC server speaks first, and may do so before the task's turn.
        self.client.forward, self.upstream.forward = upstream.write, client.write
        if not self._half_closed:
            # Before the write below, which may pause it again.
            client.resume_reading()
        upstream.write(self._first)
        self._first = b""
        if self._half_closed:
            _send_eof(upstream)

    def ended(self, end: End) -> bool:
        """One end will send no more; True keeps it open for what is still to be sent to it."""
        # Neither of our servers half-closes: when one stops sending it has closed. To wait for the client
        # then would hold a place for each idle connection of a client's pool.
        if end is self.upstream:
            return False
        self._half_closed = True
        if self.upstream.transport:
            _send_eof(self.upstream.transport)
        elif self._first and not self._joining:
            self._join(grpc=False)
        return bool(self._first) or self.upstream.transport is not None

    def gone(self, end: End) -> None:
        self._timer.cancel()
        if end is self.client and self._joining:
            self._joining.cancel()
        other = self.other(end).transport
        if other and not self.other(end).lost:
            self._close(other)
        self._settle()

    def _sniff(self, data: bytes) -> None:
        self._first += data
        grpc = True if self._agreed_on_h2() else is_grpc(self._first)
        if grpc is not None:
            self._join(grpc=grpc)

    def _agreed_on_h2(self) -> bool:
        transport = self.client.transport
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object") if transport else None
        return tls is not None and tls.selected_alpn_protocol() == "h2"

    def _join(self, *, grpc: bool) -> None:
        self._timer.cancel()
        if self.client.transport:
            self.client.transport.pause_reading()
        self._joining = self._loop.create_task(self._connect(self._choose(grpc)))
        self._joining.add_done_callback(lambda _: self._settle())

    async def _connect(self, upstream: Upstream) -> None:
        try:
            await upstream.connect(lambda: self.upstream)
        except OSError as e:
            logger.warning("no server answers at %s: %s", upstream.address, e or type(e).__name__)
            self.abort()

    def _close(self, transport: asyncio.Transport) -> None:
        """Close once all has been sent; give up on a client that takes nothing more."""
        transport.close()
        waiting = transport.get_write_buffer_size()
        if waiting:
            self._timer = self._loop.call_later(DRAIN_PROBE, self._probe, transport, waiting)

    def _probe(self, transport: asyncio.Transport, before: int) -> None:
        waiting = transport.get_write_buffer_size()
        if waiting < before:
            self._timer = self._loop.call_later(DRAIN_PROBE, self._probe, transport, waiting)
        else:
            transport.abort()

    def _settle(self) -> None:
        joining = self._joining and not self._joining.done()
        if self.client.lost and (self.upstream.lost or not self.upstream.transport) and not joining:
            self._forget(self)


def _send_eof(transport: asyncio.Transport) -> None:
    # It may have gone already; then its connection_lost is on the way.
    with contextlib.suppress(OSError):
        transport.write_eof()


class FrontDoor:
    """The splicer. Use it from one asyncio loop.

    ``listen`` is (host, port), port 0 for any free one. At most ``max_connections`` are open at once; more
    wait in the system's backlog until one closes. ``tls`` gives the context for each new connection; without
    it they are plain.
    """

    def __init__(
        self,
        listen: Address,
        grpc: Upstream,
        http: Upstream,
        *,
        max_connections: int = 1024,
        tls: Contexts | None = None,
    ) -> None:
        self._listen = listen
        self._grpc, self._http = grpc, http
        self._tls = tls
        self._max = max_connections
        self._open: set[Connection] = set()
        self._counted = 0
        self._listeners: list[socket.socket] = []
        self._acceptors: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()
        self._idle = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that is open; the asked one before ``start``."""
        return int(self._listeners[0].getsockname()[1]) if self._listeners else self._listen[1]

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._open)

    async def start(self) -> None:
        """Open the address; returns once connections are taken.

        Raises:
            ConfigurationError: the address can't be opened; says which, why, and what to do.
        """
        self._listeners = await open_listeners(self._listen)
        self._count()
        loop = asyncio.get_running_loop()
        self._acceptors = [loop.create_task(self._accept(listener)) for listener in self._listeners]

    async def stop(self, grace: float = 0.0) -> None:
        """Take no more connections, wait ``grace`` seconds for the open ones to end, then cut them.

        gRPC clients keep theirs until their server goes: stop that one first, or at the same time.
        """
        for acceptor in self._acceptors:
            acceptor.cancel()
        await asyncio.gather(*self._acceptors, return_exceptions=True)
        for listener in self._listeners:
            listener.close()
        self._acceptors, self._listeners = [], []
        self._count()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._idle.wait()
        for connection in list(self._open):
            connection.abort()
        await self._idle.wait()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.wait()
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as e:
                logger.warning("a connection was not accepted: %s", e)
                if e.errno in NO_RESOURCES:
                    await asyncio.sleep(1)
                continue
            connection = Connection(self._choose, self._forget)
            self._open.add(connection)
            self._count()
            try:
                _notice_the_dead(sock)
                end = TlsTransport(self._tls(), connection.client) if self._tls else connection.client
                await loop.connect_accepted_socket(partial(_same, end), sock)
            except OSError as e:
                # Gone between the two lines: it was reset before it was set up.
                logger.debug("a connection went before it was set up: %s", e)
                sock.close()
                connection.abort()
                self._forget(connection)

    def _choose(self, grpc: bool) -> Upstream:
        return self._grpc if grpc else self._http

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._count()

    def _count(self) -> None:
        """Keep the two events, and the gauge, true to the number of connections."""
        # What it changed by: there may be a second door, for HTTP over TLS.
        metrics.CONNECTIONS.inc(len(self._open) - self._counted)
        self._counted = len(self._open)
        for event, true in ((self._room, len(self._open) < self._max), (self._idle, not self._open)):
            if true:
                event.set()
            else:
                event.clear()


def _same(protocol: asyncio.Protocol) -> asyncio.Protocol:
    return protocol


def _notice_the_dead(sock: socket.socket) -> None:
    """Find clients that vanished without a word within 2 minutes; the system's default is 2 hours."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
