"""The files of the pages: styles, scripts, and the strings as a module. All of them under one version."""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labelwright.errors import DoesNotExist
from labelwright.protocol.http import error_response
from labelwright.protocol.openapi_page import accepts_gzip
from labelwright.review.security import COMMON

PREFIX = "/ui/static"
STRINGS = "strings.js"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_LOOK_AGAIN = 1.0
"""Seconds for which the files are not looked at again: who edits them sees the change, who serves them pays nothing."""

# from "./dom.js", import("/ui/static/dom.js"), import "./dom.js"
_IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)(["'])(?:\./|/ui/static/)([\w.-]+\.js)\2""")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file to send, plain and packed."""

    plain: bytes
    packed: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files of one moment."""

    version: str
    """What tells them from those of another moment."""
    files: Mapping[str, Asset]
    strings: SimpleNamespace
    """The English texts, by group and key, for the templates."""


def folder(name: str) -> Path:
    """A folder of this room's files."""
    return Path(str(importlib.resources.files(__package__))) / name


def address(name: str) -> str:
    """Where a page finds a file. It changes when any file does, so that a browser may keep each for ever."""
    return f"{PREFIX}/{name}?v={current().version}"


def strings_by_group() -> dict[str, dict[str, str]]:
    """The English texts: group, key, text."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder("strings").glob("*.json"))}


def routes() -> list[BaseRoute]:
    """The route of the files. They are the same for everybody, and ask for no key."""

    async def show(request: Request) -> Response:
        assets = current()
        # What browsers ask for of themselves, beside files that name no icon.
        found = assets.files.get(request.path_params.get("file", "icon.svg"))
        if found is None:
            return error_response(DoesNotExist("there is no such file"), request.scope)
        packed = accepts_gzip(request.headers.get("accept-encoding", ""))
        kept = request.query_params.get("v") == assets.version
        headers = {
            "content-type": found.content_type,
            "cache-control": "public, max-age=31536000, immutable" if kept else "no-cache",
            "vary": "accept-encoding",
            **COMMON,
        }
        if packed:
            headers["content-encoding"] = "gzip"
        return Response(found.packed if packed else found.plain, headers=headers)

    return [Route(path, show, methods=["GET"]) for path in (f"{PREFIX}/{{file}}", "/favicon.ico")]


_reading = threading.Lock()
_looked = float("-inf")
_stamp: tuple[tuple[str, int, int], ...] = ()


def current() -> Assets:
    """The files as they are now, looked at once a second at most."""
    global _looked, _stamp
    with _reading:
        if time.monotonic() >= _looked + _LOOK_AGAIN:
            _stamp = tuple((str(p), (s := p.stat()).st_mtime_ns, s.st_size) for p in _paths())
            _looked = time.monotonic()
        return _read(_stamp)


def _paths() -> list[Path]:
    found = [p for p in folder("static").iterdir() if p.suffix in _TYPES]
    return sorted([*found, *folder("strings").glob("*.json")])


@cache
def _read(stamp: tuple[tuple[str, int, int], ...]) -> Assets:
    paths = [Path(name) for name, _, _ in stamp]
    raw = {p.name: p.read_bytes() for p in paths}
    version = hashlib.sha256(b"".join(name.encode() + b"\0" + raw[name] + b"\0" for name in sorted(raw)))
    texts = strings_by_group()
    as_json = json.dumps(texts, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    files = {name: data for name, data in raw.items() if not name.endswith(".json")}
    files[STRINGS] = f"export default {as_json};\n".encode()
    shown = version.hexdigest()[:16]
    made = {
        name: _asset(name, _versioned(data, shown) if name.endswith(".js") else data) for name, data in files.items()
    }
    return Assets(shown, made, SimpleNamespace(**{g: SimpleNamespace(**keys) for g, keys in texts.items()}))


def _versioned(script: bytes, version: str) -> bytes:
    """A module that imports the others by the addresses that the pages use: by two, it would run twice."""
    return _IMPORT.sub(rf"\g<1>\g<2>{PREFIX}/\g<3>?v={version}\g<2>", script.decode()).encode()


def _asset(name: str, data: bytes) -> Asset:
    return Asset(data, gzip.compress(data, 9, mtime=0), _TYPES[Path(name).suffix])
