"""TLS on one accepted connection: a transport to the protocol behind it, a protocol to the socket's transport."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import Any, cast

RECORD = 16384
"""Bytes that one TLS record carries at most, and so what one read gives."""
PLAIN_REFUSED = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 42\r\nConnection: close\r\n\r\n"
    b"This address speaks TLS: ask it https://.\n"
)

logger = logging.getLogger(__name__)


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """The server's side of TLS. ``end`` is told of the connection at once, and of bytes after the handshake.

    It has no limit of time; who holds it calls ``abort``.
    """

    # Not asyncio's own TLS, which knows no half-close (what is written after the client's end is dropped in
    # silence), drops what waits to be sent where bytes of the client come in while it closes, and takes a
    # buffer of 256 KiB for each connection: 256 MiB for the 1024 that the door holds.

    def __init__(self, context: ssl.SSLContext, end: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._end = end
        self._socket: asyncio.Transport | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False
        self._paused = False
        self._socket_ended = False
        self._told_of_end = False
        self._closed = False

    # --- to the socket, a protocol ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.Transport, transport)
        self._end.connection_made(self)

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        self._read()

    def eof_received(self) -> bool:
        # An end without TLS's own word for it may be forged; both protocols behind frame what they send, so
        # neither takes a request cut short for a whole one.
        self._socket_ended = True
        self._read()
        return True

    def pause_writing(self) -> None:
        self._end.pause_writing()

    def resume_writing(self) -> None:
        self._end.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._end.connection_lost(exc)

    # --- to the end, a transport --------------------------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "ssl_object":
            return self._tls
        return self._socket.get_extra_info(name, default) if self._socket else default

    def is_closing(self) -> bool:
        return self._closed

    def is_reading(self) -> bool:
        return not self._paused and not self._closed

    def pause_reading(self) -> None:
        self._paused = True
        if self._socket:
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        if self._paused and self._socket:
            self._paused = False
            self._socket.resume_reading()
            # Not at once: whoever resumes may have earlier bytes to hand on first.
            self._loop.call_soon(self._read)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; nothing is kept here, so the socket's transport alone says when to pause."""
        if self._closed or not self._shaken:
            return
        rest = memoryview(data)
        try:
            # OpenSSL takes a record at a time.
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as e:
            self._fail(e)
        else:
            self._flush()

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return self._socket.get_write_buffer_size() if self._socket else 0

    def close(self) -> None:
        """Close once all has been sent, with TLS's word for it; the client's own is not waited for."""
        if self._closed or not self._socket:
            return
        self._closed = True
        # It says that the client's word is missing, or that bytes of the client were not read.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._socket.close()

    def abort(self) -> None:
        self._closed = True
        if self._socket:
            self._socket.abort()

    # --- between ------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._paused or self._closed or self._told_of_end:
            return
        data, over = b"", False
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            data, over = self._decrypt()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as e:
            self._fail(e)
            return
        self._flush()
        if data:
            self._end.data_received(data)
        if over or self._socket_ended:
            self._tell_of_end()

    def _tell_of_end(self) -> None:
        # Told later where the data before it made the end pause: resuming reads again, and comes here again.
        if self._paused or self._closed:
            return
        self._told_of_end = True
        if not self._end.eof_received():
            self.close()

    def _decrypt(self) -> tuple[bytes, bool]:
        """All that can be read now, and whether the client has said that this is the end."""
        records = []
        try:
            while record := self._tls.read(RECORD):
                records.append(record)
        except ssl.SSLWantReadError:
            return b"".join(records), False
        return b"".join(records), True

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._socket:
            self._socket.write(data)

    def _fail(self, error: ssl.SSLError) -> None:
        logger.debug("a TLS connection was given up: %s", error)
        self._closed = True
        # The alert that says why; or, to a client that knows nothing of TLS, words.
        self._flush()
        if not self._socket:
            return
        if self._shaken:
            # Closing would wait for a client that may take nothing more.
            self._socket.abort()
            return
        if error.reason == "HTTP_REQUEST":
            self._socket.write(PLAIN_REFUSED)
        self._socket.close()
