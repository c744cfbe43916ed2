"""The one address: gRPC and HTTP through one port, and how it starts, fails and ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import socket
import struct
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labelwright.errors import ConfigurationError
from labelwright.protocol import frontdoor, loop
from labelwright.protocol.frontdoor import (
    PREFACE,
    FrontDoor,
    Upstream,
    is_grpc,
)
from labelwright.protocol.http import HttpServer, build_app
from labelwright.protocol.listeners import binding_error, open_unix_listener
from labelwright.protocol.loop import EdgeLoop

LOOPBACK = ("127.0.0.1", 0)
WAIT = 30
"""Seconds after which a wait counts as hung; nothing here needs more than a fraction of it."""
NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# A channel of its own connection; and no second try, so that what happens to the connection is seen.
OWN_CONNECTION = [*NO_LIMIT, ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder with a short path: tmp_path is too long for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="lw-") as path:
        yield path


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever asyncio has to complain of (tasks never retrieved, callbacks that raised) fails the test."""
    yield
    gc.collect()
    complaints = [r.getMessage() for r in caplog.get_records("call") if r.name == "asyncio"]
    complaints = [c for c in complaints if not c.startswith("Using selector")]
    assert complaints == []


class Echo(grpc.GenericRpcHandler):
    """/test/echo gives the bytes back; /test/hang waits until the client goes."""

    def __init__(self) -> None:
        self.hanging = threading.Semaphore(0)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        if handler_call_details.method == "/test/hang":
            return grpc.unary_unary_rpc_method_handler(self._hang)
        return grpc.unary_unary_rpc_method_handler(lambda request, _: request)

    def _hang(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        gone = threading.Event()
        context.add_callback(gone.set)
        self.hanging.release()
        gone.wait(WAIT)
        return request


@dataclass
class Edge:
    """A gRPC server and an HTTP server behind one port."""

    port: int
    echo: Echo
    server: grpc.Server
    loop: EdgeLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def channel(self) -> grpc.Channel:
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", options=OWN_CONNECTION)


def app() -> Starlette:
    async def echo(request: Request) -> Response:
        return Response(await request.body())

    async def hang(_: Request) -> Response:
        await asyncio.sleep(10 * WAIT)
        return JSONResponse({})

    all_here = asyncio.Event()
    here = 0

    async def together(_: Request) -> Response:
        nonlocal here
        here += 1
        if here == 100:
            all_here.set()
        await asyncio.wait_for(all_here.wait(), WAIT)
        return JSONResponse({"here": here})

    made = build_app(lambda: True)
    made.routes.extend([Route("/echo", echo, methods=["POST"]), Route("/hang", hang), Route("/together", together)])
    return made


def method(channel: grpc.Channel, name: str) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(name, bytes, bytes)


def call(channel: grpc.Channel, message: bytes) -> bytes:
    return method(channel, "/test/echo")(message, timeout=WAIT)


@contextlib.contextmanager
def grpc_server(path: str) -> Iterator[tuple[grpc.Server, Echo]]:
    echo = Echo()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[echo], options=NO_LIMIT)
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield server, echo
    finally:
        server.stop(0).wait(WAIT)


@pytest.fixture
def edge(folder: str) -> Iterator[Edge]:
    with grpc_server(f"{folder}/grpc.sock") as (server, echo):
        edge_loop = EdgeLoop(app())
        edge_loop.start(LOOPBACK, None, Upstream(f"{folder}/grpc.sock"))
        port = edge_loop.listen_port
        assert port
        try:
            yield Edge(port, echo, server, edge_loop)
        finally:
            assert edge_loop.stop(0)


# --- which way a connection goes ------------------------------------------------------------------


@given(st.binary(max_size=40) | st.integers(0, 24).map(lambda n: PREFACE[:n]))
def test_the_first_bytes_decide_as_soon_as_they_can(first: bytes) -> None:
    undecided = len(first) < len(PREFACE) and PREFACE[: len(first)] == first
    assert is_grpc(first) is (None if undecided else first[: len(PREFACE)] == PREFACE)


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_what_is_decided_stays_decided(first: bytes, more: bytes) -> None:
    for head in (first, PREFACE[: len(first)], PREFACE):
        if is_grpc(head) is not None:
            assert is_grpc(head + more) is is_grpc(head)


# --- both protocols through one port --------------------------------------------------------------


def test_grpc_and_http_share_one_port(edge: Edge) -> None:
    with edge.channel() as channel, httpx.Client(base_url=edge.url) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        for n in range(20):
            assert call(channel, b"%d" % n) == b"%d" % n
            assert client.post("/echo", content=b"%d" % n).content == b"%d" % n


def test_200_connections_at_once(edge: Edge) -> None:
    everyone_is_in = threading.Barrier(200)

    def over_grpc() -> object:
        with edge.channel() as channel:
            call(channel, b"first")
            everyone_is_in.wait(WAIT)
            return call(channel, b"second")

    def over_http() -> object:
        # No request before the others are there: an idle connection is closed after 5 s, on a slow machine too soon.
        everyone_is_in.wait(WAIT)
        return httpx.get(f"{edge.url}/together", timeout=WAIT).json()

    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda ask: ask(), [over_grpc, over_http] * 100))
    assert answers == [b"second", {"here": 100}] * 100


def test_20_mb_both_ways(edge: Edge) -> None:
    message = os.urandom(20_000_000)
    with edge.channel() as channel, httpx.Client(base_url=edge.url, timeout=WAIT) as client:
        assert call(channel, message) == message
        assert client.post("/echo", content=message).content == message


def read_all(sock: socket.socket) -> bytes:
    sock.settimeout(WAIT)
    return b"".join(iter(lambda: sock.recv(65536), b""))


def test_an_http_client_may_send_byte_by_byte(edge: Edge) -> None:
    # "P" alone may still become the preface; "PO" can't.
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    with socket.create_connection(("127.0.0.1", edge.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(len(request)):
            sock.sendall(request[n : n + 1])
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nhi")


@pytest.mark.parametrize("half_closes", [False, True])
@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"PRI * HTTP 2\r\n\r\n", b"PRI\r\n\r\n", b"\0" * 64]
)
def test_garbage_goes_to_http_and_gets_400(edge: Edge, garbage: bytes, half_closes: bool) -> None:
    with socket.create_connection(("127.0.0.1", edge.port)) as sock:
        sock.sendall(garbage)
        if half_closes:
            sock.shutdown(socket.SHUT_WR)
        assert read_all(sock).startswith(b"HTTP/1.1 400 ")


def test_a_preface_byte_by_byte_goes_to_grpc(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", edge.port)) as sock:
        for n in range(len(PREFACE)):
            sock.sendall(PREFACE[n : n + 1])
        sock.sendall(b"\0\0\0\4\0\0\0\0\0")
        sock.settimeout(WAIT)
        frame = sock.recv(9, socket.MSG_WAITALL)
    length, kind, stream = int.from_bytes(frame[:3], "big"), frame[3], struct.unpack(">I", frame[5:9])[0]
    assert (kind, stream) == (4, 0), "an HTTP/2 server opens with SETTINGS on stream 0"
    assert length % 6 == 0


def test_an_address_that_names_no_host_shows_nothing_of_ours(edge: Edge) -> None:
    with socket.create_connection(("127.0.0.1", edge.port)) as sock:
        sock.sendall(b"GET /nothing HTTP/1.0\r\n\r\n")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"nothing is served at GET /nothing" in answer


def test_the_health_check_and_everything_else() -> None:
    ready = False
    transport = httpx.ASGITransport(build_app(lambda: ready))

    async def ask() -> None:
        nonlocal ready
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            assert (await client.get("/healthz")).status_code == 503
            ready = True
            health = await client.get("/healthz")
            assert (health.status_code, health.json()) == (200, {"status": "ok"})
            for verb, path in (("GET", "/nothing"), ("POST", "/healthz"), ("GET", "/healthz/")):
                answer = await client.request(verb, path)
                status = answer.json()["status"]
                assert answer.status_code == 404
                assert (status["code"], status["description"]) == (11101, "Resource does not exist")
                assert f" at {verb} {path}; " in status["details"]

    asyncio.run(ask())


# --- when something goes --------------------------------------------------------------------------


def test_an_upstream_that_dies_in_a_call_fails_that_call_alone(edge: Edge, folder: str) -> None:
    with edge.channel() as channel, httpx.Client(base_url=edge.url) as client:
        hanging = method(channel, "/test/hang").future(b"", timeout=WAIT)
        assert edge.echo.hanging.acquire(timeout=WAIT)
        edge.server.stop(0).wait(WAIT)
        with pytest.raises(grpc.RpcError) as broken:
            hanging.result()
        assert broken.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        with pytest.raises(grpc.RpcError) as nobody:
            call(channel, b"")
        assert nobody.value.code() is grpc.StatusCode.UNAVAILABLE
        assert client.get("/healthz").status_code == 200
    with grpc_server(f"{folder}/grpc.sock"), edge.channel() as channel:
        assert call(channel, b"again") == b"again"


def test_stop_ends_with_connections_open(edge: Edge) -> None:
    with edge.channel() as channel, httpx.Client(base_url=edge.url, timeout=WAIT) as client:
        call(channel, b"")
        client.get("/healthz")
        silent = socket.create_connection(("127.0.0.1", edge.port))
        hanging = method(channel, "/test/hang").future(b"", timeout=WAIT)
        assert edge.echo.hanging.acquire(timeout=WAIT)
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(client.get, "/hang")
            assert edge.loop.stop(0.2)
            with pytest.raises(httpx.TransportError):
                asked.result()
        with pytest.raises(grpc.RpcError):
            hanging.result()
        with silent:
            assert read_all(silent) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", edge.port))
    assert edge.loop.stop(0), "a second stop has nothing to do"


# --- the door alone, on plain upstreams -----------------------------------------------------------

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo_until_eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"|end")


@contextlib.asynccontextmanager
async def door_to(folder: str, serve: Serve, **options: Any) -> AsyncIterator[FrontDoor]:
    """A door whose both upstreams are ``serve``; afterwards nothing may be left open."""
    tasks = asyncio.all_tasks()

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    before = psutil.Process().num_fds()
    upstream = await asyncio.start_unix_server(whole, f"{folder}/up.sock")
    door = FrontDoor(LOOPBACK, Upstream(f"{folder}/up.sock"), Upstream(f"{folder}/up.sock"), **options)
    await door.start()
    try:
        yield door
    finally:
        await door.stop(0)
        assert door.connections == 0
        upstream.close()
        async with asyncio.timeout(WAIT):
            while asyncio.all_tasks() - tasks or psutil.Process().num_fds() > before:
                await asyncio.sleep(0.01)


async def connect(door: FrontDoor) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", door.port)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not true():
            await asyncio.sleep(0.01)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_a_client_that_has_sent_all_still_gets_its_answer(folder: str) -> None:
    async def scene() -> bytes:
        async with door_to(folder, echo_until_eof) as door:
            reader, writer = await connect(door)
            writer.write(b"x" * 1_000_000)
            writer.write_eof()
            answer = await reader.read()
            await until(lambda: door.connections == 0)
            await close(writer)
            return answer

    assert asyncio.run(scene()) == b"x" * 1_000_000 + b"|end"


@pytest.mark.parametrize("ends_with_reset", [False, True])
def test_a_client_that_goes_takes_its_upstream_along(folder: str, ends_with_reset: bool) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        gone.set()

    async def scene() -> None:
        async with door_to(folder, serve) as door:
            reader, writer = await connect(door)
            writer.write(b"hello")
            assert await reader.read(5) == b"hello"
            if ends_with_reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await close(writer)
            async with asyncio.timeout(WAIT):
                await gone.wait()
            await until(lambda: door.connections == 0)

    asyncio.run(scene())


def test_an_upstream_that_closes_ends_the_connection(folder: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"y" * 1_000_000)

    async def scene() -> None:
        async with door_to(folder, serve) as door:
            reader, writer = await connect(door)
            writer.write(b"x")
            assert await reader.read() == b"y" * 1_000_000
            # The client keeps its side open, as an idle connection of a pool does.
            await until(lambda: door.connections == 0)
            await close(writer)

    asyncio.run(scene())


def test_a_slow_reader_slows_its_sender(folder: str) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(1)
        for _ in range(1000):
            writer.write(b"z" * 100_000)
            await writer.drain()
            sent += 100_000

    async def scene() -> int:
        async with door_to(folder, serve) as door:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.setblocking(False)
            running = asyncio.get_running_loop()
            await running.sock_connect(sock, ("127.0.0.1", door.port))
            await running.sock_sendall(sock, b"x")
            before = -1
            while sent == 0 or sent > before:
                before = sent
                await asyncio.sleep(0.2)
            stalled, taken = sent, 0
            while data := await running.sock_recv(sock, 1 << 20):
                taken += len(data)
            sock.close()
            assert taken == 100_000_000
            return stalled

    # Kernel buffers hold some MB, the door at most one read (256 KiB) beyond its 64 KiB mark.
    assert asyncio.run(scene()) < 20_000_000


def test_a_client_that_takes_nothing_more_is_given_up(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontdoor, "DRAIN_PROBE", 0.2)
    waiting = 0

    async def scene() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            await reader.read(1)
            (connection,) = door._open
            client = connection.client.transport
            # Until the kernel takes no more and some stays with the door: its upstream is then gone before it.
            while client and not waiting:
                writer.write(b"z" * 16384)
                await asyncio.sleep(0.001)
                waiting = client.get_write_buffer_size()

        async with door_to(folder, serve) as door:
            sock = socket.create_connection(("127.0.0.1", door.port))
            sock.sendall(b"x")
            await until(lambda: waiting > 0)
            await until(lambda: door.connections == 0)
            sock.close()

    asyncio.run(scene())
    assert waiting > 0


@pytest.mark.parametrize("said", [b"", b"PRI * HT"])
def test_a_client_that_says_nothing_is_dropped(folder: str, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontdoor, "FIRST_BYTES_TIMEOUT", 0.2)

    async def scene() -> bytes:
        async with door_to(folder, echo_until_eof) as door:
            reader, writer = await connect(door)
            writer.write(said)
            answer = await reader.read()
            assert door.connections == 0
            await close(writer)
            return answer

    assert asyncio.run(scene()) == b""


def test_a_client_that_goes_without_a_word(folder: str) -> None:
    async def scene() -> None:
        async with door_to(folder, echo_until_eof) as door:
            _, writer = await connect(door)
            await until(lambda: door.connections == 1)
            await close(writer)
            await until(lambda: door.connections == 0)

    asyncio.run(scene())


def test_connections_beyond_the_cap_wait_for_a_place(folder: str) -> None:
    async def scene() -> None:
        async with door_to(folder, echo_until_eof, max_connections=2) as door:
            clients = [await connect(door) for _ in range(3)]
            for _, writer in clients:
                writer.write(b"hello")
            for reader, _ in clients[:2]:
                assert await reader.readexactly(5) == b"hello"
            waiting = asyncio.ensure_future(clients[2][0].readexactly(5))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            assert door.connections == 2
            await close(clients[0][1])
            assert await asyncio.wait_for(waiting, WAIT) == b"hello"
            for _, writer in clients[1:]:
                await close(writer)

    asyncio.run(scene())


def test_an_upstream_with_a_full_backlog_is_waited_for(folder: str) -> None:
    """To a full backlog a unix connect says EAGAIN, and asyncio's own connect would take that for success."""

    async def scene() -> None:
        path = f"{folder}/full.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(0)
            filler = socket.socket(socket.AF_UNIX)
            filler.connect(path)
            door = FrontDoor(LOOPBACK, Upstream(path), Upstream(path))
            await door.start()
            _, writer = await connect(door)
            writer.write(b"hello")
            await asyncio.sleep(0.1)
            assert door.connections == 1
            listener.accept()[0].close()
            listener.settimeout(0)
            running = asyncio.get_running_loop()
            accepted, _ = await asyncio.wait_for(running.sock_accept(listener), WAIT)
            assert await asyncio.wait_for(running.sock_recv(accepted, 5), WAIT) == b"hello"
            await close(writer)
            await door.stop()
            accepted.close()
            filler.close()

    asyncio.run(scene())


def test_stop_while_an_upstream_is_being_connected(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontdoor, "CONNECT_TIMEOUT", 10 * WAIT)

    async def scene() -> None:
        path = f"{folder}/full.sock"
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as filler:
            listener.bind(path)
            listener.listen(0)
            filler.connect(path)
            door = FrontDoor(LOOPBACK, Upstream(path), Upstream(path))
            await door.start()
            reader, writer = await connect(door)
            writer.write(b"hello")
            await asyncio.sleep(0.1)
            await asyncio.wait_for(door.stop(0), WAIT)
            with contextlib.suppress(OSError):
                assert await reader.read() == b""
            await close(writer)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())


def test_no_upstream_closes_the_connection(folder: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        door = FrontDoor(LOOPBACK, Upstream(f"{folder}/none.sock"), Upstream(("127.0.0.1", 1)))
        await door.start()
        for first in (PREFACE, b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await connect(door)
            writer.write(first)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            await close(writer)
        await until(lambda: door.connections == 0)
        await door.stop()

    asyncio.run(scene())
    assert [r.levelno for r in caplog.records if "no server answers" in r.message] == [logging.WARNING] * 2


def test_stop_waits_for_a_connection_within_the_grace(folder: str) -> None:
    async def scene() -> bytes:
        async with door_to(folder, echo_until_eof) as door:
            port = door.port
            reader, writer = await connect(door)
            writer.write(b"hel")
            assert await reader.readexactly(3) == b"hel"
            stopping = asyncio.ensure_future(door.stop(WAIT))
            await asyncio.sleep(0.05)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"lo")
            writer.write_eof()
            answer = await reader.read()
            await stopping
            await close(writer)
            return answer

    assert asyncio.run(scene()) == b"lo|end"


# --- starting -------------------------------------------------------------------------------------


def start_edge(listen: tuple[str, int] | None, http: tuple[str, int] | None = None) -> EdgeLoop:
    edge_loop = EdgeLoop(app())
    edge_loop.start(listen, http, Upstream("/nowhere"))
    return edge_loop


def test_a_taken_port_is_a_configuration_error() -> None:
    with socket.create_server(LOOPBACK) as taken:
        port = taken.getsockname()[1]
        for addresses in ((("127.0.0.1", port), None), (LOOPBACK, ("127.0.0.1", port))):
            threads = threading.active_count()
            with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}: another process.*choose"):
                start_edge(*addresses)
            assert threading.active_count() == threads


@pytest.mark.parametrize(
    ("host", "says"),
    # 192.0.2.0/24 is kept for documentation; a label of a name ends at 63 characters. Neither asks a network.
    [("192.0.2.1", "no address 192.0.2.1"), ("a" * 64, "is not known here")],
)
def test_a_host_that_is_not_ours_is_a_configuration_error(host: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        start_edge((host, 0))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "may not open port 80; choose one from 1024"),
        (OSError(errno.EADDRINUSE, "in use"), "another process listens there"),
        (socket.gaierror(-2, "Name or service not known"), "is not known here"),
        (OSError(errno.EIO, "odd"), "odd"),
    ],
)
def test_binding_errors_say_what_to_do(error: OSError, says: str) -> None:
    details = binding_error(("::1", 80), error).details
    assert details.startswith("can't listen on [::1]:80: ")
    assert says in details


def test_an_edge_can_start_again_after_an_error_and_after_a_stop() -> None:
    edge_loop = EdgeLoop(app())
    with pytest.raises(ConfigurationError):
        edge_loop.start(("192.0.2.1", 0), None, Upstream("/nowhere"))
    for _ in range(2):
        edge_loop.start(LOOPBACK, LOOPBACK, Upstream("/nowhere"))
        with pytest.raises(RuntimeError, match="runs already"):
            edge_loop.start(LOOPBACK, None, Upstream("/nowhere"))
        for port in (edge_loop.listen_port, edge_loop.http_port):
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "ok"}
        assert edge_loop.stop()
        assert (edge_loop.listen_port, edge_loop.http_port) == (None, None)


def test_without_unix_sockets_the_door_reaches_http_over_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "UNIX_SOCKETS", False)
    edge_loop = start_edge(LOOPBACK)
    assert httpx.get(f"http://127.0.0.1:{edge_loop.listen_port}/healthz").status_code == 200
    assert edge_loop.stop()


def test_a_door_needs_a_grpc_server() -> None:
    with pytest.raises(ValueError, match="grpc_upstream"):
        EdgeLoop(app()).start(LOOPBACK, None, None)


def test_http_alone_on_a_path_and_an_address(folder: str) -> None:
    async def scene() -> None:
        path = f"{folder}/http.sock"
        server = HttpServer(app(), path=path, address=LOOPBACK)
        await server.start()
        assert Path(path).stat().st_mode & 0o777 == 0o600
        for transport in (httpx.AsyncHTTPTransport(), httpx.AsyncHTTPTransport(uds=path)):
            async with httpx.AsyncClient(transport=transport) as client:
                answer = await client.get(f"http://127.0.0.1:{server.port}/healthz")
                assert answer.json() == {"status": "ok"}
                assert "server" not in answer.headers
        await server.stop()
        await server.stop()
        assert not Path(path).exists()

    asyncio.run(scene())


def test_http_alone_cuts_a_request_that_outlasts_the_grace(folder: str) -> None:
    async def scene() -> None:
        before = psutil.Process().num_fds()
        server = HttpServer(app(), path=f"{folder}/http.sock")
        await server.start()
        reader, writer = await asyncio.open_unix_connection(f"{folder}/http.sock")
        writer.write(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        await server.stop(0.1)
        assert await reader.read() == b""
        await close(writer)
        async with asyncio.timeout(WAIT):
            while asyncio.all_tasks() != {asyncio.current_task()} or psutil.Process().num_fds() > before:
                await asyncio.sleep(0.01)

    asyncio.run(scene())


def test_a_unix_path_of_a_dead_server_is_taken_over_and_that_of_a_living_one_is_not(folder: str) -> None:
    path = f"{folder}/up.sock"
    open_unix_listener(path).close()
    with open_unix_listener(path), pytest.raises(ConfigurationError, match="already listens"):
        open_unix_listener(path)
    Path(f"{folder}/file").write_text("not a socket")
    for bad in (f"{folder}/file", f"{folder}/none/up.sock", f"{folder}/{'x' * 120}"):
        with pytest.raises(ConfigurationError, match="writable folder"):
            open_unix_listener(bad)
