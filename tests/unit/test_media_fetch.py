from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labelwright import __version__
from labelwright.config import load
from labelwright.errors import InputFailed, InputInvalidUrl, InputOverLimit, LabelwrightError
from labelwright.media import connections
from labelwright.media.fetch import Fetched, Fetcher

LIMIT = 100_000
BODY = bytes(range(256)) * 100

Route = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: dict[str, Route]
    seen: list[tuple[str, dict[str, str]]]
    stop: threading.Event

    def do_GET(self) -> None:
        self.close_connection = True
        self.seen.append((self.path, dict(self.headers)))
        self.routes[self.path.partition("?")[0]](self)

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def write(self, raw: bytes) -> None:
        self.wfile.write(raw)

    def drip(self, head: bytes, piece: bytes) -> None:
        self.wfile.write(head)
        while not self.stop.wait(0.02):
            self.wfile.write(piece)


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        pass  # the clients here hang up in mid-answer on purpose


class Site:
    """A loopback server: routes by path, and what it was asked."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.stop = threading.Event()
        handler = type("Bound", (Handler,), {"routes": self.routes, "seen": self.seen, "stop": self.stop})
        self.server = Server(("127.0.0.1", 0), handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_port
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.stop.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.routes["/image"] = lambda h: h.answer(body=BODY, Content_Type="Image/JPEG; charset=x")
    yield site
    site.close()


def names(**table: str | list[str]) -> Callable[..., list[Any]]:
    """A resolver that knows ``table`` only; dots in names are written as ``_``."""

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        if host.replace(".", "_") not in table:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        known = table[host.replace(".", "_")]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (a, port, 0, 0))
            if ":" in a
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port))
            for a in ([known] if isinstance(known, str) else known)
        ]

    return resolve


def fetcher(**values: Any) -> Fetcher:
    return Fetcher(**{"allow_private": True, "timeout": 30, "max_bytes": LIMIT, **values})


def to_the_site(monkeypatch: pytest.MonkeyPatch, site: Site) -> list[Any]:
    """Lead every connection to the site, whatever its address; the addresses asked for come back."""
    asked: list[Any] = []
    real = connections.connect

    def connect(found: list[Any], deadline: connections.Deadline) -> socket.socket:
        asked.append(found)
        return real([(socket.AF_INET, ("127.0.0.1", site.port))], deadline)

    monkeypatch.setattr(connections, "connect", connect)
    return asked


def test_a_body_comes_back_with_its_type_and_url(site: Site) -> None:
    url = site.url("/image?size=1 2#part")
    assert fetcher().fetch(url) == Fetched(BODY, "image/jpeg", site.url("/image?size=1%202"))
    _, headers = site.seen[0]
    assert headers["User-Agent"] == f"labelwright/{__version__}"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["Host"] == f"127.0.0.1:{site.port}"


def test_the_settings_reach_the_fetcher(tmp_path: Path) -> None:
    settings = load(home=tmp_path, allow_private_urls=True, fetch_timeout=3, fetch_parallel=5, max_media_bytes=2048)
    made = Fetcher.from_settings(settings)
    assert (made.allow_private, made.timeout, made.parallel, made.max_bytes) == (True, 3, 5, 2048)


# --- where a URL may lead -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "localhost.", "LOCALHOST", "127.1", "0x7f000001", "2130706433", "0177.0.0.1",
     "127\u30020\u30020\u30021", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
)  # fmt: skip
def test_loopback_is_refused_however_it_is_spelt(site: Site, host: str) -> None:
    with pytest.raises(InputInvalidUrl, match="LABELWRIGHT_ALLOW_PRIVATE_URLS=1"):
        fetcher(allow_private=False).fetch(site.url("/image", host))
    assert not site.seen


def test_the_metadata_service_is_out_of_reach_even_with_the_setting() -> None:
    with pytest.raises(InputInvalidUrl, match=r"169\.254\.169\.254"):
        fetcher(getaddrinfo=names(nice_example="169.254.169.254")).fetch("http://nice.example/latest/meta-data")


def test_a_resolver_that_changes_its_mind_is_asked_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1"])
    asked = to_the_site(monkeypatch, site)
    guarded = fetcher(allow_private=False, getaddrinfo=lambda h, p, **k: names(x=next(answers))("x", p, **k))
    assert guarded.fetch("http://rebind.example/image").data == BODY
    assert asked == [[(socket.AF_INET, ("93.184.216.34", 80))]]
    assert list(answers) == ["127.0.0.1"]
    assert site.seen[0][1]["Host"] == "rebind.example"


def test_a_redirect_to_a_private_address_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    to_the_site(monkeypatch, site)
    site.routes["/go"] = lambda h: h.answer(302, Location="http://inside.example/image")
    guarded = fetcher(allow_private=False, getaddrinfo=names(out_example="93.184.216.34", inside_example="10.1.2.3"))
    with pytest.raises(InputInvalidUrl, match=r"inside\.example has the private address 10\.1\.2\.3"):
        guarded.fetch("http://out.example/go")
    assert len(site.seen) == 1


def test_the_next_address_is_tried_when_one_refuses(site: Site) -> None:
    # 127.0.0.2 is loopback too, and the server listens on 127.0.0.1 alone.
    found = fetcher(getaddrinfo=names(two_example=["127.0.0.2", "127.0.0.1"])).fetch(site.url("/image", "two.example"))
    assert found.data == BODY


# --- redirects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(site: Site, status: int) -> None:
    site.routes["/go"] = lambda h: h.answer(status, b"moved", Location="image")
    assert fetcher().fetch(site.url("/go")).final_url == site.url("/image")


def test_five_redirects_are_followed_and_six_are_not(site: Site) -> None:
    for i in range(6):
        site.routes[f"/{i}"] = lambda h, i=i: h.answer(302, Location=f"/{i - 1}" if i else "/image")  # type: ignore[misc]
    assert fetcher().fetch(site.url("/4")).data == BODY
    with pytest.raises(InputFailed, match="more than 5 redirects"):
        fetcher().fetch(site.url("/5"))


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://h/x", "gopher://h/", "data:,x", "http://u:p@h/"])
def test_a_redirect_out_of_the_web_is_refused(site: Site, location: str) -> None:
    site.routes["/go"] = lambda h: h.answer(302, Location=location)
    with pytest.raises(InputInvalidUrl, match="redirects to an illegal URL"):
        fetcher().fetch(site.url("/go"))


# --- answers that are not a body ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "shown"),
    [(404, "404 Not Found"), (500, "500 Internal Server Error"), (204, "204 No Content"), (304, "304 Not Modified"),
     (206, "206 Partial Content"), (302, "302 Found"), (799, "799")],
)  # fmt: skip
def test_another_status_is_a_failure_that_keeps_the_body_to_itself(site: Site, status: int, shown: str) -> None:
    def route(h: Handler) -> None:
        h.wfile.write(f"HTTP/1.1 {status} secret phrase\r\nContent-Length: 6\r\n\r\nsecret".encode())

    site.routes["/x"] = route
    with pytest.raises(InputFailed) as caught:
        fetcher().fetch(site.url("/x"))
    assert caught.value.details == f"127.0.0.1: the server answered {shown}"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_is_not_a_good_one_is_a_failure(site: Site, raw: bytes) -> None:
    site.routes["/x"] = lambda h: h.write(raw)
    with pytest.raises(InputFailed, match=r"^127\.0\.0\.1: "):
        fetcher().fetch(site.url("/x"))


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(BODY)[:-9],
    ],
)
def test_half_a_body_is_a_failure(site: Site, raw: bytes) -> None:
    site.routes["/x"] = lambda h: h.write(raw)
    with pytest.raises(InputFailed, match="ended in mid-body"):
        fetcher().fetch(site.url("/x"))


def test_nobody_there_is_a_failure(site: Site) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(InputFailed, match="refused"):
            fetcher().fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    with pytest.raises(InputFailed, match=r"gone\.example: the host name can't be resolved"):
        fetcher(getaddrinfo=names()).fetch("http://gone.example/")


# --- size -----------------------------------------------------------------------------------------


def chunked(h: Handler, body: bytes) -> None:
    h.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 7000):
        piece = body[start : start + 7000]
        h.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    h.wfile.write(b"0\r\n\r\n")


def zipped(h: Handler, body: bytes) -> None:
    h.answer(body=gzip.compress(body), Content_Encoding="gzip")


def to_the_end(h: Handler, body: bytes) -> None:
    h.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)


def lying(h: Handler, body: bytes) -> None:
    h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n" + body)


def declared(h: Handler, body: bytes) -> None:
    h.answer(body=body)


@pytest.mark.parametrize("way", [declared, chunked, zipped, to_the_end, lying])
def test_the_limit_is_kept_to_the_byte(site: Site, way: Callable[[Handler, bytes], None]) -> None:
    site.routes["/fits"] = lambda h: way(h, b"x" * LIMIT)
    site.routes["/over"] = lambda h: way(h, b"x" * (LIMIT + 1))
    assert len(fetcher().fetch(site.url("/fits")).data) == LIMIT
    with pytest.raises(InputOverLimit, match=rf"127\.0\.0\.1: .* {LIMIT} bytes"):
        fetcher().fetch(site.url("/over"))


@pytest.mark.parametrize("framing", ["", "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n"])
def test_an_endless_body_is_cut_off(site: Site, framing: str) -> None:
    # As a chunk, "-1" makes http.client read to the end of the stream.
    piece = {"": BODY, "T": b"-1\r\n" + BODY, "C": gzip.compress(bytes(10**8))}[framing[:1]]

    def route(h: Handler) -> None:
        h.wfile.write(f"HTTP/1.1 200 OK\r\n{framing}\r\n".encode())
        while not h.stop.is_set():
            h.wfile.write(piece)

    site.routes["/x"] = route
    with pytest.raises(InputOverLimit):
        fetcher().fetch(site.url("/x"))


def test_a_compressed_bomb_is_never_held_in_memory(site: Site) -> None:
    body = gzip.compress(bytes(10**8))
    site.routes["/x"] = lambda h: h.answer(body=body, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(InputOverLimit):
            fetcher().fetch(site.url("/x"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 * LIMIT


# --- time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"A"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n"),
    ],
)
def test_a_dripping_server_holds_nobody(site: Site, head: bytes, piece: bytes) -> None:
    site.routes["/x"] = lambda h: h.drip(head, piece)
    with pytest.raises(InputFailed, match=r"no whole answer within 0\.3 seconds"):
        fetcher(timeout=0.3).fetch(site.url("/x"))


def test_redirects_share_one_deadline(site: Site) -> None:
    def route(h: Handler) -> None:
        h.stop.wait(0.15)
        h.answer(302, Location="/slow")

    site.routes["/slow"] = route
    with pytest.raises(InputFailed, match="no whole answer within"):
        fetcher(timeout=0.4, max_redirects=1000).fetch(site.url("/slow"))


def test_a_server_that_never_accepts_is_given_up() -> None:
    with socket.socket() as deaf, socket.socket() as first:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        first.connect(deaf.getsockname())
        with pytest.raises(InputFailed, match="no whole answer within"):
            fetcher(timeout=0.3).fetch(f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        with pytest.raises(InputFailed, match="no whole answer within"):
            fetcher(timeout=0.3).fetch(f"https://127.0.0.1:{deaf.getsockname()[1]}/")


def test_an_address_that_never_answers_leaves_time_for_the_next(site: Site) -> None:
    with socket.socket() as deaf, contextlib.ExitStack() as waiting:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(deaf.getsockname())
        found = [(socket.AF_INET, deaf.getsockname()), (socket.AF_INET, ("127.0.0.1", site.port))]
        with connections.connect(found, connections.Deadline(1)) as sock:
            assert sock.getpeername()[1] == site.port


def test_a_hanging_resolver_is_given_up() -> None:
    let_go = threading.Event()

    def resolver(*_: Any, **__: Any) -> list[Any]:
        let_go.wait(60)
        return []

    try:
        with pytest.raises(InputFailed, match=r"slow\.example: no whole answer"):
            fetcher(timeout=0.2, getaddrinfo=resolver).fetch("http://slow.example/")
    finally:
        let_go.set()


# --- many -----------------------------------------------------------------------------------------


def test_each_of_many_has_its_own_outcome_in_its_place(site: Site) -> None:
    site.routes["/404"] = lambda h: h.answer(404)
    for i in range(20):
        site.routes[f"/{i}"] = lambda h, i=i: h.answer(body=b"%d" % i)  # type: ignore[misc]
    urls = [site.url(f"/{i}") for i in range(20)]
    urls[3:3] = [site.url("/404"), "data:image/png;base64,AAAA", "nonsense"]
    got = fetcher(parallel=4).fetch_all(urls)
    assert [type(g) for g in got[3:6]] == [InputFailed, InputInvalidUrl, InputInvalidUrl]
    rest = got[:3] + got[6:]
    assert [g.data for g in rest if isinstance(g, Fetched)] == [b"%d" % i for i in range(20)]
    assert fetcher().fetch_all([]) == []


def test_no_more_than_the_given_number_run_at_once(site: Site) -> None:
    # The three meet at the barrier: with fewer at once it would break, and 500 would come back.
    barrier = threading.Barrier(3)
    running: list[int] = []
    most: list[int] = []

    def route(h: Handler) -> None:
        running.append(1)
        most.append(len(running))
        try:
            barrier.wait(20)
        finally:
            running.pop()
        h.answer(body=b"x")

    site.routes["/x"] = route
    got = fetcher(parallel=3).fetch_all([site.url("/x")] * 9)
    assert all(isinstance(g, Fetched) for g in got)
    assert max(most) == 3


def test_what_nobody_foresaw_fails_one_item(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def resolver(host: str, port: int, **_: Any) -> list[Any]:
        if host == "bad.example":
            raise ZeroDivisionError
        return names(good_example="127.0.0.1")(host, port)

    bad, good = fetcher(getaddrinfo=resolver).fetch_all(["http://bad.example/", site.url("/image", "good.example")])
    assert isinstance(bad, InputFailed)
    assert isinstance(good, Fetched)
    assert "not foreseen" in caplog.text
    assert isinstance(bad, LabelwrightError)
    assert "ZeroDivision" not in bad.details


# --- TLS ------------------------------------------------------------------------------------------

# Made for these tests alone: a self-signed certificate for images.test, good until 2120.
PEM = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgp5Hr9oph1CDP4JeB
L7cc3bGbuLYNnz7PDt4rDJRRVfehRANCAATIYwQvVHaonU4RRztRFMd8nrplnJkb
3/U1EPyEQF0vYIA5HdtRXIprqtUvk8VWVOOu1KUl2clkvyDHkXQxDc2E
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBdzCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtpbWFnZXMu
dGVzdDAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLaW1hZ2VzLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATIYwQvVHao
nU4RRztRFMd8nrplnJkb3/U1EPyEQF0vYIA5HdtRXIprqtUvk8VWVOOu1KUl2clk
vyDHkXQxDc2Eo1owWDAWBgNVHREEDzANggtpbWFnZXMudGVzdDAPBgNVHRMBAf8E
BTADAQH/MA4GA1UdDwEB/wQEAwIChDAdBgNVHQ4EFgQUBoaW5jkkzRx6rr5n1zUs
tSvf2a4wCgYIKoZIzj0EAwIDSAAwRQIhAJE8qlSiqg/BvshLZp6CKE1jnlH2Nzxl
tSNvPo9iga6KAiAyM5JVcxRMP7TKQ/F/ee7iXTVjWWQnpSrK1VCj7yQ/pw==
-----END CERTIFICATE-----
"""


@pytest.fixture
def secure_site(tmp_path: Path) -> Iterator[tuple[Site, ssl.SSLContext, list[str]]]:
    (tmp_path / "site.pem").write_text(PEM)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "site.pem")
    indicated: list[str] = []
    server.sni_callback = lambda _sock, name, _context: indicated.append(str(name))
    client = ssl.create_default_context(cafile=str(tmp_path / "site.pem"))
    site = Site(server)
    site.routes["/image"] = lambda h: h.answer(body=BODY)
    yield site, client, indicated
    site.close()


def test_tls_is_spoken_to_the_name_in_the_url(secure_site: tuple[Site, ssl.SSLContext, list[str]]) -> None:
    site, client, indicated = secure_site
    known = names(images_test="127.0.0.1", other_test="127.0.0.1")
    trusting = fetcher(tls=client, getaddrinfo=known)
    assert trusting.fetch(site.url("/image", "images.test.", "https")).data == BODY
    assert indicated == ["images.test"]
    assert site.seen[0][1]["Host"] == f"images.test:{site.port}"
    with pytest.raises(InputFailed, match=r"other\.test: the TLS certificate is not good"):
        trusting.fetch(site.url("/image", "other.test", "https"))
    with pytest.raises(InputFailed, match="the TLS certificate is not good"):
        fetcher(getaddrinfo=known).fetch(site.url("/image", "images.test", "https"))


def test_tls_to_a_server_without_it_is_a_failure(site: Site) -> None:
    with pytest.raises(InputFailed, match=r"127\.0\.0\.1: "):
        fetcher(timeout=5).fetch(site.url("/image", scheme="https"))
