"""Sockets on which no wait outlasts one overall deadline, and no answer outgrows a cap."""

from __future__ import annotations

import io
import socket
import ssl
import time
from typing import TYPE_CHECKING

from labelwright.errors import InputOverLimit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from labelwright.media.addresses import SocketAddress


class Deadline:
    """A point in time, ``seconds`` from now, that several waits share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, above 0.

        Raises:
            TimeoutError: it has passed.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left


def connect(addresses: list[SocketAddress], deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers, in order.

    Raises:
        OSError: none did; the error of the last one (TimeoutError among them).
    """
    problem: OSError = OSError("no address")
    for position, (family, sockaddr) in enumerate(addresses):
        sock = None
        try:
            # A share for each that is left: a black hole in front (broken IPv6) must not eat the whole time.
            share = deadline.left() / (len(addresses) - position)
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.settimeout(share)
            sock.connect(sockaddr)
            return sock
        except OSError as e:
            problem = e
            if sock is not None:
                sock.close()
    raise problem


def secure(sock: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """Speak TLS on a connected socket; the certificate must be ``host``'s. Closes the socket on failure.

    Raises:
        ssl.SSLError, OSError: the handshake failed.
    """
    try:
        sock.settimeout(deadline.left())
        return context.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


class BoundedSocket:
    """As much of a socket as ``http.client.HTTPResponse`` needs, under a deadline and a cap on what comes.

    A time-out on the socket alone bounds each wait, not their sum: a server that sends a byte a second would
    hold a worker for ever. The cap stands under ``http.client``'s parser, which (in Python 3.11) reads to the
    end of the stream when a chunk announces a size of -1.
    """

    def __init__(self, sock: socket.socket, *, deadline: Deadline, max_bytes: int) -> None:
        self._sock, self._deadline, self._max_bytes = sock, deadline, max_bytes

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 (http.client asks for "rb" only)
        return io.BufferedReader(_BoundedReader(self._sock, self._deadline, self._max_bytes), 2**16)


class _BoundedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, max_bytes: int) -> None:
        self._sock, self._deadline, self._left = sock, deadline, max_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise InputOverLimit("the server sent more bytes than are legal")
        return count
