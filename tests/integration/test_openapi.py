"""``/openapi.json`` and ``/docs``, over HTTP."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette

from labelwright.protocol import openapi_page
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.openapi import document


@pytest.fixture
def app() -> Starlette:
    return build_app(lambda: True, openapi_page.routes())


@pytest.fixture
def api(app: Starlette) -> Iterator[httpx.Client]:
    edge = EdgeLoop(app)
    edge.start(None, ("127.0.0.1", 0), None)
    with httpx.Client(base_url=f"http://127.0.0.1:{edge.http_port}", timeout=30, trust_env=False) as made:
        yield made
    edge.stop()


def test_the_document_is_there_without_a_key(api: httpx.Client) -> None:
    reply = api.get("/openapi.json")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == document()


def test_the_page_is_there_under_a_strict_policy(api: httpx.Client) -> None:
    reply = api.get("/docs")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.text.startswith("<!doctype html>")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_it_is_packed_for_who_takes_it_so_and_sent_once(api: httpx.Client, path: str) -> None:
    plain = api.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with api.stream("GET", path, headers={"accept-encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        raw = b"".join(packed.iter_raw())
    assert gzip.decompress(raw) == plain.content
    assert len(raw) * 5 < len(plain.content)
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"
    # Two bodies have two tags.
    assert plain.headers["etag"] != packed.headers["etag"]
    tag = packed.headers["etag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = api.get(path, headers={"accept-encoding": "gzip", "if-none-match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), given
    other = api.get(path, headers={"accept-encoding": "identity", "if-none-match": tag})
    assert other.status_code == 200


def test_many_who_come_first_together_get_the_same(app: Starlette) -> None:
    openapi_page._made.cache_clear()

    async def all_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await asyncio.gather(*(client.get("/openapi.json") for _ in range(8)))

    assert len({reply.content for reply in asyncio.run(all_at_once())}) == 1
    assert openapi_page._made.cache_info().misses == 1


def test_only_reading_is_possible(api: httpx.Client) -> None:
    assert api.head("/docs").content == b""
    assert api.post("/docs").json()["status"]["code"] == 11101
