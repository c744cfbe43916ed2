"""``GET /openapi.json``: the API described for programs; ``GET /docs``: the same for people."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labelwright.protocol.openapi import document
from labelwright.protocol.openapi_html import render

_COMMON = {"cache-control": "no-cache", "vary": "accept-encoding", "x-content-type-options": "nosniff"}

_building = threading.Lock()


def routes() -> list[BaseRoute]:
    """Both routes. They ask for no key: what they show is the same on every server of a version."""
    return [Route("/openapi.json", _show_document, methods=["GET"]), Route("/docs", _show_page, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class _Built:
    """A thing to send, plain and packed."""

    plain: bytes
    packed: bytes
    tag: str
    """What tells it from another version's; without quotation marks."""
    headers: Mapping[str, str]


async def _show_document(request: Request) -> Response:
    return await _answer(request, "document")


async def _show_page(request: Request) -> Response:
    return await _answer(request, "page")


async def _answer(request: Request, which: str) -> Response:
    # The first one takes a second to make, and half a second more for the page.
    built = (await asyncio.to_thread(_everything))[which]
    packed = accepts_gzip(request.headers.get("accept-encoding", ""))
    headers = {**built.headers, **_COMMON, "etag": f'"{built.tag}{"-gz" if packed else ""}"'}
    if _has_it(request.headers.get("if-none-match", ""), headers["etag"]):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(built.packed if packed else built.plain, headers=headers)


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding allows gzip: it says so, or ``*``, and not with a weight of 0."""
    weights = {}
    for part in header.lower().split(","):
        coding, _, parameter = part.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _has_it(header: str, tag: str) -> bool:
    """Whether an If-None-Match names this tag, or any."""
    return any(given.strip().removeprefix("W/") in (tag, "*") for given in header.split(","))


def _everything() -> dict[str, _Built]:
    # One at a time: the others find it made.
    with _building:
        return _made()


@cache
def _made() -> dict[str, _Built]:
    described = document()
    page = render(described)
    as_json = json.dumps(described, ensure_ascii=False, separators=(",", ":"))
    policy = {"content-security-policy": page.policy, "referrer-policy": "no-referrer"}
    return {
        "document": _built(as_json, {"content-type": "application/json"}),
        "page": _built(page.html, {"content-type": "text/html; charset=utf-8", **policy}),
    }


def _built(text: str, headers: Mapping[str, str]) -> _Built:
    plain = text.encode()
    return _Built(plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:32], headers)
