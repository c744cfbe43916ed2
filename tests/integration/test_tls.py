"""TLS on the addresses: gRPC and HTTP through one port, and how a connection is cut, drained and renewed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from labelwright.cli.main import app as command_line
from labelwright.protocol import frontdoor, tls
from labelwright.protocol.frontdoor import PREFACE, FrontDoor, Upstream
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.tls import Certificate
from tests.acceptance.test_serve import free_ports, process, terminate, wait_for
from tests.integration.test_frontdoor import (
    LOOPBACK,
    OWN_CONNECTION,
    WAIT,
    Echo,
    Serve,
    app,
    call,
    close,
    door_to,
    echo_until_eof,
    grpc_server,
    method,
    read_all,
    until,
)
from tests.integration.test_frontdoor import folder as folder
from tests.integration.test_frontdoor import quiet as quiet
from tests.unit.some_certificates import Files, encrypt, issue, self_signed


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return issue(tmp_path)


@dataclass
class Edge:
    """gRPC and HTTP behind one TLS port, and HTTP behind another."""

    port: int
    http_port: int
    files: Files
    echo: Echo
    loop: EdgeLoop

    def channel(self, files: Files | None = None) -> grpc.Channel:
        roots = (files or self.files).roots.read_bytes()
        return grpc.secure_channel(f"localhost:{self.port}", grpc.ssl_channel_credentials(roots), OWN_CONNECTION)

    def http(self, files: Files | None = None) -> httpx.Client:
        return httpx.Client(
            base_url=f"https://localhost:{self.port}", verify=(files or self.files).client, timeout=WAIT
        )

    def plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)

    def connect(self, alpn: list[str] | None = None) -> ssl.SSLSocket:
        context = self.files.client
        if alpn:
            context.set_alpn_protocols(alpn)
        return context.wrap_socket(self.plain(), server_hostname="localhost")


@pytest.fixture
def edge(folder: str, files: Files) -> Iterator[Edge]:
    certificate = Certificate(files.cert, files.key)
    with grpc_server(f"{folder}/grpc.sock") as (_, echo):
        edge_loop = EdgeLoop(app())
        edge_loop.start(LOOPBACK, LOOPBACK, Upstream(f"{folder}/grpc.sock"), tls=certificate.context)
        assert edge_loop.listen_port
        assert edge_loop.http_port
        try:
            yield Edge(edge_loop.listen_port, edge_loop.http_port, files, echo, edge_loop)
        finally:
            assert edge_loop.stop(0)


# --- both protocols through one port --------------------------------------------------------------


def test_grpc_and_https_share_one_port(edge: Edge) -> None:
    with edge.channel() as channel, edge.http() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        for n in range(20):
            assert call(channel, b"%d" % n) == b"%d" % n
            assert client.post("/echo", content=b"%d" % n).content == b"%d" % n


def test_100_connections_at_once(edge: Edge) -> None:
    everyone_is_in = threading.Barrier(100)

    def over_grpc() -> object:
        with edge.channel() as channel:
            call(channel, b"first")
            everyone_is_in.wait(WAIT)
            return call(channel, b"second")

    def over_http() -> object:
        with edge.http() as client:
            everyone_is_in.wait(WAIT)
            return client.post("/echo", content=b"second").content

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(lambda ask: ask(), [over_grpc, over_http] * 50)) == [b"second"] * 100


def test_20_mb_both_ways(edge: Edge) -> None:
    message = os.urandom(20_000_000)
    with edge.channel() as channel, edge.http() as client:
        assert call(channel, message) == message
        assert client.post("/echo", content=message).content == message


def first_frame(sock: ssl.SSLSocket) -> bytes:
    frame = b""
    while len(frame) < 9:
        frame += sock.recv(9 - len(frame))
    return frame


@pytest.mark.parametrize("alpn", [None, ["h2"]])
def test_a_preface_byte_by_byte_goes_to_grpc(alpn: list[str] | None, edge: Edge) -> None:
    with edge.connect(alpn) as sock:
        for n in range(len(PREFACE)):
            sock.sendall(PREFACE[n : n + 1])
        sock.sendall(b"\0\0\0\4\0\0\0\0\0")
        assert first_frame(sock)[3] == 4, "an HTTP/2 server opens with SETTINGS"


def test_alpn_sends_a_client_to_grpc_before_its_preface_is_whole(edge: Edge) -> None:
    with edge.connect(["h2"]) as sock:
        sock.sendall(PREFACE[:1])
        assert first_frame(sock)[3] == 4


@pytest.mark.parametrize("alpn", [None, ["http/1.1"], ["h2", "http/1.1"]])
def test_an_http_client_with_and_without_alpn(alpn: list[str] | None, edge: Edge) -> None:
    request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    with edge.connect(alpn) as sock:
        for n in range(len(request)):
            sock.sendall(request[n : n + 1])
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nhi")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("version", [[], ["--http1.1"], ["--tls-max", "1.2"]])
def test_curl(version: list[str], edge: Edge) -> None:
    """It asks for HTTP/2 where it can, which is not served for REST: it must end up with HTTP/1.1."""
    url = f"https://localhost:{edge.port}/healthz"
    command = ["curl", "-sS", "--noproxy", "*", "--cacert", str(edge.files.roots), *version, url]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert (ran.stdout, ran.stderr) == ('{"status":"ok"}', "")


def test_the_http_port_speaks_tls_and_no_grpc(edge: Edge) -> None:
    url = f"https://localhost:{edge.http_port}/healthz"
    assert httpx.get(url, verify=edge.files.client).json() == {"status": "ok"}
    roots = grpc.ssl_channel_credentials(edge.files.roots.read_bytes())
    with grpc.secure_channel(f"localhost:{edge.http_port}", roots, OWN_CONNECTION) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            call(channel, b"")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


# --- clients that do not fit ----------------------------------------------------------------------


def test_those_who_speak_no_tls_are_told_and_disturb_nobody(edge: Edge) -> None:
    with edge.channel() as channel, edge.http() as client:
        assert call(channel, b"before") == b"before"
        with edge.plain() as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = read_all(sock)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"https://" in answer
        for garbage in (b"\0" * 600, b"\x16\x03\x01\x00\x05hello", PREFACE):
            with edge.plain() as sock:
                sock.sendall(garbage)
                with contextlib.suppress(ConnectionResetError):
                    assert len(read_all(sock)) <= 7, "nothing but an alert"
        with grpc.insecure_channel(f"localhost:{edge.port}", OWN_CONNECTION) as plain:
            with pytest.raises(grpc.RpcError) as refused:
                call(plain, b"")
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert call(channel, b"after") == b"after"
        assert client.get("/healthz").status_code == 200


def test_who_does_not_trust_the_certificate_gets_nothing(edge: Edge, tmp_path: Path) -> None:
    stranger = issue(tmp_path, name="stranger")
    with edge.http(stranger) as client, pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        client.get("/healthz")
    with edge.channel(stranger) as channel, pytest.raises(grpc.RpcError) as refused:
        call(channel, b"")
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    with edge.channel() as channel:
        assert call(channel, b"mine") == b"mine"


def test_stop_ends_with_connections_open(edge: Edge) -> None:
    with edge.channel() as channel, edge.http() as client:
        client.get("/healthz")
        hanging = method(channel, "/test/hang").future(b"", timeout=WAIT)
        assert edge.echo.hanging.acquire(timeout=WAIT)
        with edge.plain() as silent, edge.connect() as shaken:
            assert edge.loop.stop(0.2)
            for sock in (silent, shaken):
                with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
                    assert read_all(sock) == b""
        with pytest.raises(grpc.RpcError):
            hanging.result()


# --- the door alone, on plain upstreams -----------------------------------------------------------


@contextlib.asynccontextmanager
async def tls_door(folder: str, files: Files, serve: Serve, **options: Any) -> AsyncIterator[FrontDoor]:
    certificate = Certificate(files.cert, files.key)
    async with door_to(folder, serve, tls=certificate.context, **options) as door:
        yield door


async def connect(door: FrontDoor, files: Files) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", door.port, ssl=files.client, server_hostname="localhost")


def ask(port: int, files: Files, message: bytes, close_notify: bool) -> bytes:
    """Send all of it, say that this was all, and read the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = files.client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as sock:
        shaken = sent = False
        while True:
            try:
                if not shaken:
                    client.do_handshake()
                    shaken = True
                if not sent:
                    rest = message
                    while rest:
                        rest = rest[client.write(rest) :]
                    sent = True
                    if close_notify:
                        with contextlib.suppress(ssl.SSLWantReadError):
                            client.unwrap()
                    sock.sendall(outgoing.read())
                    if not close_notify:
                        sock.shutdown(socket.SHUT_WR)
                record = client.read(1 << 16)
                if not record:
                    return answer
                answer += record
            except ssl.SSLZeroReturnError:
                return answer
            except ssl.SSLWantReadError:
                if data := outgoing.read():
                    sock.sendall(data)
                came = sock.recv(1 << 16)
                assert came, "the server must say that it was all"
                incoming.write(came)


@pytest.mark.parametrize("close_notify", [True, False])
def test_a_client_that_has_sent_all_still_gets_its_answer(folder: str, files: Files, close_notify: bool) -> None:
    async def count_until_eof(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # It answers at the end alone: both at once would need a client that reads and writes at once.
        writer.write(b"%d|end" % len(await reader.read()))

    async def scene() -> bytes:
        async with tls_door(folder, files, count_until_eof) as door:
            answer = await asyncio.to_thread(ask, door.port, files, b"x" * 1_000_000, close_notify)
            await until(lambda: door.connections == 0)
            return answer

    assert asyncio.run(scene()) == b"1000000|end"


def test_an_upstream_that_closes_ends_the_connection(folder: str, files: Files) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"y" * 1_000_000)

    async def scene() -> None:
        async with tls_door(folder, files, serve) as door:
            reader, writer = await connect(door, files)
            writer.write(b"x")
            assert await reader.read() == b"y" * 1_000_000
            await until(lambda: door.connections == 0)
            await close(writer)

    asyncio.run(scene())


def test_a_client_that_goes_takes_its_upstream_along(folder: str, files: Files) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        assert await reader.read() == b""
        gone.set()

    async def scene() -> None:
        async with tls_door(folder, files, serve) as door:
            reader, writer = await connect(door, files)
            writer.write(b"hello")
            assert await reader.read(5) == b"hello"
            await close(writer)
            async with asyncio.timeout(WAIT):
                await gone.wait()
            await until(lambda: door.connections == 0)

    asyncio.run(scene())


def test_a_slow_reader_slows_its_sender(folder: str, files: Files) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.read(1)
        for _ in range(400):
            writer.write(b"z" * 100_000)
            await writer.drain()
            sent += 100_000

    def begin(port: int) -> ssl.SSLSocket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(WAIT)
        sock.connect(("127.0.0.1", port))
        wrapped = files.client.wrap_socket(sock, server_hostname="localhost")
        wrapped.sendall(b"x")
        return wrapped

    def take(sock: ssl.SSLSocket) -> int:
        with sock:
            return len(read_all(sock))

    async def scene() -> int:
        async with tls_door(folder, files, serve) as door:
            sock = await asyncio.to_thread(begin, door.port)
            before = -1
            while sent == 0 or sent > before:
                before = sent
                await asyncio.sleep(0.2)
            stalled = sent
            assert await asyncio.to_thread(take, sock) == 40_000_000
            return stalled

    # Kernel buffers hold some MB; the door keeps one read (256 KiB) beyond its 64 KiB mark.
    assert asyncio.run(scene()) < 20_000_000


def test_a_client_that_takes_nothing_more_is_given_up(
    folder: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontdoor, "DRAIN_PROBE", 0.2)
    waiting = 0

    async def scene() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting
            await reader.read(1)
            (connection,) = door._open
            client = connection.client.transport
            while client and not waiting:
                writer.write(b"z" * 16384)
                await asyncio.sleep(0.001)
                waiting = client.get_write_buffer_size()

        async with tls_door(folder, files, serve) as door:
            sock = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", door.port))
            wrapped = await asyncio.to_thread(files.client.wrap_socket, sock, server_hostname="localhost")
            wrapped.sendall(b"x")
            await until(lambda: waiting > 0)
            await until(lambda: door.connections == 0)
            wrapped.close()

    asyncio.run(scene())
    assert waiting > 0


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_a_handshake_that_does_not_go_on_is_cut(
    said: bytes, folder: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontdoor, "FIRST_BYTES_TIMEOUT", 0.2)

    async def scene() -> bytes:
        async with tls_door(folder, files, echo_until_eof) as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(said)
            answer = await reader.read()
            assert door.connections == 0
            await close(writer)
            return answer

    assert asyncio.run(scene()) == b""


@pytest.mark.parametrize("said", [b"", b"PRI * HT"])
def test_a_client_that_says_nothing_after_the_handshake_is_cut(
    said: bytes, folder: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontdoor, "FIRST_BYTES_TIMEOUT", 2.0)

    async def scene() -> bytes:
        async with tls_door(folder, files, echo_until_eof) as door:
            reader, writer = await connect(door, files)
            writer.write(said)
            answer = await reader.read()
            await until(lambda: door.connections == 0)
            await close(writer)
            return answer

    assert asyncio.run(scene()) == b""


def test_those_who_still_shake_hands_count(folder: str, files: Files) -> None:
    async def scene() -> None:
        async with tls_door(folder, files, echo_until_eof, max_connections=2) as door:
            silent = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(2)]
            await until(lambda: door.connections == 2)
            third = asyncio.ensure_future(connect(door, files))
            await asyncio.sleep(0.2)
            assert not third.done()
            await close(silent[0][1])
            reader, writer = await asyncio.wait_for(third, WAIT)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            await close(writer)
            await close(silent[1][1])

    asyncio.run(scene())


# --- renewal --------------------------------------------------------------------------------------


def test_a_renewed_certificate_is_for_new_connections(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "RECHECK", 0.0)
    certificate = Certificate(edge.files.cert, edge.files.key)
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Echo()])
    port = server.add_secure_port("127.0.0.1:0", certificate.grpc_credentials())
    server.start()

    def dial(files: Files) -> grpc.Channel:
        roots = grpc.ssl_channel_credentials(files.roots.read_bytes())
        return grpc.secure_channel(f"localhost:{port}", roots, OWN_CONNECTION)

    try:
        with dial(edge.files) as before:
            assert call(before, b"before") == b"before"
            renewed = issue(edge.files.cert.parent, name="renewed")
            renewed.cert.replace(edge.files.cert)
            renewed.key.replace(edge.files.key)
            for _ in range(2):
                with dial(renewed) as after:
                    assert call(after, b"after") == b"after"
            with dial(edge.files) as stale:
                with pytest.raises(grpc.RpcError) as refused:
                    call(stale, b"")
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            assert call(before, b"still") == b"still"
    finally:
        server.stop(0).wait(WAIT)


def test_the_one_address_takes_a_renewed_certificate(
    folder: str, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "RECHECK", 0.0)

    async def scene() -> None:
        async with tls_door(folder, files, echo_until_eof) as door:
            first_reader, first_writer = await connect(door, files)
            first_writer.write(b"one")
            assert await first_reader.readexactly(3) == b"one"
            renewed = issue(files.cert.parent, name="renewed")
            renewed.cert.replace(files.cert)
            renewed.key.replace(files.key)
            reader, writer = await connect(door, renewed)
            writer.write(b"two")
            assert await reader.readexactly(3) == b"two"
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(door, files)
            first_writer.write(b"still")
            assert await first_reader.readexactly(5) == b"still"
            for one in (first_writer, writer):
                await close(one)

    asyncio.run(scene())


# --- the command ----------------------------------------------------------------------------------


def test_serve_over_tls(tmp_path: Path) -> None:
    """The printed lines work as they stand, for a certificate that is its own authority."""
    own, out, (port, grpc_port, http_port) = self_signed(tmp_path, "localhost"), tmp_path / "out", free_ports(3)
    address = [f"127.0.0.1:{p}" for p in (port, grpc_port, http_port)]
    flags = ["--listen", address[0], "--grpc", address[1], "--http", address[2]]
    env = {"LABELWRIGHT_TLS_KEY": str(own.key), "LABELWRIGHT_WORKERS": "0"}
    with process(out, "serve", "--home", str(tmp_path / "h"), *flags, "--tls-cert", str(own.cert), env=env) as started:
        said = wait_for(out, "Ready", started)
        assert f"https://127.0.0.1:{port}" in said
        assert f"{address[1]} over TLS" in said
        assert f"https://127.0.0.1:{http_port}" in said
        # The certificate names localhost alone, so that is what a client has to ask for.
        assert f'base="localhost:{port}"' in said

        lines = said.splitlines()
        first = next(i for i, line in enumerate(lines) if "import ClarifaiChannel" in line)
        snippet = "\n".join(line.strip() for line in lines[first : first + 3])
        listing = (
            "from clarifai_grpc.grpc.api import service_pb2\n"
            "print(stub.ListApps(service_pb2.ListAppsRequest(user_app_id=userDataObject), metadata=metadata)"
            ".status.code)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", f"{snippet}\n{listing}"], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ran.stdout, ran.stderr) == ("10000\n", "")

        for open_port in (port, http_port):
            answer = urllib.request.urlopen(f"https://localhost:{open_port}/healthz", context=own.client)
            assert answer.status == 200
        roots = grpc.ssl_channel_credentials(own.roots.read_bytes())
        with grpc.secure_channel(f"localhost:{grpc_port}", roots) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1
        assert terminate(started) == 0


def test_help_teaches_the_flags() -> None:
    said = CliRunner().invoke(command_line, ["serve", "--help"], env={"COLUMNS": "200"}).output
    assert "--tls-cert" in said
    assert "--tls-key" in said
    assert "renewed certificate needs no restart" in said


def test_the_official_client(client: Any, folder: str, files: Files) -> None:
    """Through the one address, with the file its own setting names."""
    from labelwright.protocol import server as real_server

    built, _ = real_server.build(client.server)
    built.add_insecure_port(f"unix:{folder}/grpc.sock")
    built.start()
    edge_loop = EdgeLoop(app())
    edge_loop.start(LOOPBACK, None, Upstream(f"{folder}/grpc.sock"), tls=Certificate(files.cert, files.key).context)
    channel = ClarifaiChannel.get_grpc_channel(
        base=f"localhost:{edge_loop.listen_port}", root_certificates_path=str(files.roots)
    )
    try:
        stub = service_pb2_grpc.V2Stub(channel)
        concepts = [resources_pb2.Concept(id=f"c{n}") for n in range(50)]
        request = service_pb2.PostConceptsRequest(user_app_id=client.user_app_id, concepts=concepts)
        assert stub.PostConcepts(request, metadata=client.metadata, timeout=WAIT).status.code == 10000
        listing = service_pb2.ListConceptsRequest(user_app_id=client.user_app_id)
        assert len(stub.ListConcepts(listing, metadata=client.metadata, timeout=WAIT).concepts) > 0
    finally:
        channel.close()
        assert edge_loop.stop(0)
        built.stop(0).wait(WAIT)


def test_a_start_that_fails_says_so_in_a_line_and_asks_nothing(tmp_path: Path, files: Files) -> None:
    encrypt(files.key)
    out = tmp_path / "out"
    flags = ["--listen", "127.0.0.1:0", "--tls-cert", str(files.cert), "--tls-key", str(files.key)]
    with process(out, "serve", "--home", str(tmp_path / "home"), *flags) as started:
        assert started.wait(60) == 1
    (line,) = out.read_text().splitlines()
    assert line.startswith("labelwright: tls_key: ")
    assert "is encrypted" in line
    assert not (tmp_path / "home" / "labelwright.db").exists()


def test_without_unix_sockets(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without unix sockets HTTP is reached over loopback, for both TLS addresses."""
    monkeypatch.setattr("labelwright.protocol.loop.UNIX_SOCKETS", False)
    edge_loop = EdgeLoop(app())
    edge_loop.start(LOOPBACK, LOOPBACK, Upstream("/nowhere"), tls=Certificate(files.cert, files.key).context)
    for port in (edge_loop.listen_port, edge_loop.http_port):
        assert httpx.get(f"https://localhost:{port}/healthz", verify=files.client).status_code == 200
    assert edge_loop.stop()
