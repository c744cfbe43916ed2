"""TLS between a socket and a protocol: every byte once and in order, whatever comes in what pieces."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.protocol.tls import Certificate
from labelwright.protocol.tls_transport import PLAIN_REFUSED, TlsTransport
from tests.unit.some_certificates import Files, issue


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def context(files: Files) -> ssl.SSLContext:
    return Certificate(files.cert, files.key).context()


class Wire(asyncio.Transport):
    """The socket's transport: keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True
        self.closed = self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True


class Behind(asyncio.Protocol):
    """The protocol behind; pauses after every so many bytes."""

    def __init__(self, keeps_open: bool, pause_after: Callable[[bytes], bool] = lambda _: False) -> None:
        self.received = b""
        self.ended = 0
        self.keeps_open = keeps_open
        self.pause_after = pause_after
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        assert not self.ended
        self.received += data
        if self.transport and self.pause_after(data):
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.ended += 1
        return self.keeps_open


class Session:
    """A client in memory, with the server's side as it is tested."""

    def __init__(self, context: ssl.SSLContext, client: ssl.SSLContext, behind: Behind) -> None:
        self.behind, self.wire = behind, Wire()
        self.server = TlsTransport(context, behind)
        self.server.connection_made(self.wire)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(self._in, self._out, server_hostname="localhost")

    def carry(self, sizes: Iterator[int]) -> None:
        """Take the client's bytes to the server, in pieces."""
        data = self._out.read()
        while data:
            size = next(sizes)
            if self.wire.reading:
                self.server.data_received(data[:size])
                data = data[size:]
            else:
                self.server.resume_reading()
        self._in.write(self.wire.written)
        self.wire.written = b""

    def shake(self, sizes: Iterator[int]) -> None:
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.client.do_handshake()
            self.carry(sizes)

    def close_notify(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.client.unwrap()

    def read(self) -> tuple[bytes, bool]:
        """What has come for the client, and whether the server said that it was all."""
        data = b""
        try:
            while record := self.client.read(1 << 16):
                data += record
        except ssl.SSLWantReadError:
            return data, False
        except ssl.SSLZeroReturnError:
            return data, True
        return data, True


def forever(sizes: list[int]) -> Iterator[int]:
    while True:
        yield from sizes


messages = st.lists(st.binary(max_size=40_000), max_size=6)
pieces = st.lists(st.integers(1, 20_000), min_size=1, max_size=8).map(lambda sizes: [*sizes, 30_000])


@given(there=messages, back=messages, sizes=pieces, newest=st.booleans(), pauses=st.booleans(), half=st.booleans())
def test_every_byte_arrives_once_and_in_order(
    there: list[bytes],
    back: list[bytes],
    sizes: list[int],
    newest: bool,
    pauses: bool,
    half: bool,
    context: ssl.SSLContext,
    files: Files,
) -> None:
    async def scene() -> None:
        client = files.client
        if not newest:
            client.maximum_version = ssl.TLSVersion.TLSv1_2
        pieces = forever(sizes)
        session = Session(context, client, Behind(keeps_open=True, pause_after=lambda _: pauses))
        session.shake(pieces)
        for message in there:
            # OpenSSL may take a record at a time.
            while message:
                message = message[session.client.write(message) :]
            session.carry(pieces)
        if half:
            session.close_notify()
        session.carry(pieces)
        while not session.wire.reading:
            session.server.resume_reading()
            await asyncio.sleep(0)
        assert session.behind.received == b"".join(there)
        assert session.behind.ended == half
        for message in back:
            session.server.write(message)
        session.server.close()
        session.server.close()
        session.carry(pieces)
        assert session.read() == (b"".join(back), True)
        assert session.wire.closed

    asyncio.run(scene())


def test_the_end_is_told_after_the_bytes_that_made_it_pause(context: ssl.SSLContext, files: Files) -> None:
    async def scene() -> None:
        session = Session(context, files.client, Behind(keeps_open=False, pause_after=lambda _: True))
        session.shake(forever([100_000]))
        session.client.write(b"all")
        session.close_notify()
        session.carry(forever([100_000]))
        assert (session.behind.received, session.behind.ended) == (b"all", 0)
        session.server.resume_reading()
        assert session.behind.ended == 0
        await asyncio.sleep(0)
        assert session.behind.ended == 1
        assert session.wire.closed, "an end that the protocol does not outlive closes the connection"

    asyncio.run(scene())


def test_what_was_written_is_sent_though_bytes_of_the_client_stay_unread(context: ssl.SSLContext, files: Files) -> None:
    async def scene() -> None:
        session = Session(context, files.client, Behind(keeps_open=False))
        session.shake(forever([100_000]))
        session.server.pause_reading()
        session.server.write(b"z" * 100_000)
        session.client.write(b"more of a request that was answered already")
        session.server.data_received(session._out.read())
        session.server.close()
        session.carry(forever([100_000]))
        assert session.read() == (b"z" * 100_000, True)
        assert session.behind.received == b""

    asyncio.run(scene())


def test_an_end_of_the_socket_alone_ends_it_too(context: ssl.SSLContext, files: Files) -> None:
    async def scene() -> None:
        session = Session(context, files.client, Behind(keeps_open=True))
        session.shake(forever([100_000]))
        session.server.eof_received()
        session.server.eof_received()
        assert session.behind.ended == 1
        session.server.write(b"still")
        session.carry(forever([1]))
        assert session.read() == (b"still", False)

    asyncio.run(scene())


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\n\r\n", b"POST /v2/inputs HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n\r\n"]
)
def test_plain_http_is_told_of_https(first: bytes, context: ssl.SSLContext) -> None:
    async def scene() -> None:
        behind, wire = Behind(keeps_open=True), Wire()
        server = TlsTransport(context, behind)
        server.connection_made(wire)
        server.data_received(first)
        assert wire.written == PLAIN_REFUSED
        assert wire.closed
        assert behind.received == b""

    asyncio.run(scene())


def test_the_words_for_plain_http_have_the_length_they_name() -> None:
    head, _, body = PLAIN_REFUSED.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}\r\n".encode() in head


@given(garbage=st.binary(min_size=1, max_size=300))
def test_garbage_never_raises_and_never_arrives(garbage: bytes, context: ssl.SSLContext) -> None:
    async def scene() -> None:
        behind, wire = Behind(keeps_open=True), Wire()
        server = TlsTransport(context, behind)
        server.connection_made(wire)
        server.data_received(garbage)
        server.eof_received()
        server.write(b"nobody")
        assert behind.received == b""

    asyncio.run(scene())


def test_a_record_that_was_tampered_with_drops_the_connection(context: ssl.SSLContext, files: Files) -> None:
    async def scene() -> None:
        session = Session(context, files.client, Behind(keeps_open=True))
        session.shake(forever([100_000]))
        session.client.write(b"hello")
        record = bytearray(session._out.read())
        record[-1] ^= 1
        session.server.data_received(bytes(record))
        assert session.wire.aborted
        assert session.behind.received == b""
        session.server.write(b"nobody")
        session.server.close()
        assert not session.server.is_reading()

    asyncio.run(scene())


def test_what_passes_through(context: ssl.SSLContext, files: Files) -> None:
    async def scene() -> None:
        paused = []

        class Paused(Behind):
            def pause_writing(self) -> None:
                paused.append(True)

            def resume_writing(self) -> None:
                paused.append(False)

            def connection_lost(self, exc: Exception | None) -> None:
                self.transport = None

        session = Session(context, files.client, Paused(keeps_open=True))
        server = session.server
        assert not server.can_write_eof()
        assert server.is_reading()
        server.pause_writing()
        server.resume_writing()
        assert paused == [True, False]
        session.shake(forever([100_000]))
        assert server.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert server.get_extra_info("nothing", 1) == 1
        server.write(b"x")
        assert server.get_write_buffer_size() == len(session.wire.written) > 0
        server.connection_lost(None)
        assert server.is_closing()
        assert session.behind.transport is None

    asyncio.run(scene())
