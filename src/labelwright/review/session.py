"""Signing in and out: the cookie, the guard against other sites' requests, and who may try how often."""

from __future__ import annotations

import hmac
import json
from urllib.parse import parse_qs, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labelwright.config import Settings
from labelwright.errors import KeyInvalid, RequestTooLarge
from labelwright.protocol import tls
from labelwright.protocol.auth import Rate
from labelwright.protocol.dispatch import Server
from labelwright.protocol.sessions import SECONDS, Session, Sessions

COOKIE = "labelwright_session"
CSRF_HEADER = "x-labelwright-csrf"
HOME = "/apps"

TRIES, SHARED_TRIES = 10, 60
"""Tries to sign in that fail, a minute: from one address, and from all that come through the front door together,
behind which their addresses are not known. A token has 128 random bits; what this guards is one that somebody chose."""

_SAFE = frozenset({"GET", "HEAD"})
_MAX_FORM = 16 * 1024
_MAX_NEXT = 2000


class CookieSessions:
    """Lets the cookie stand for an authorization header, where a request can only come from a page of ours.

    For GET and HEAD the cookie is enough: no other site can read the answer, and nothing is changed. For the rest
    the page has to say the session's CSRF token too. A request with an authorization of its own is left alone.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (value := await self._value(scope)):
            header = (b"authorization", b"Session " + value.encode("latin-1"))
            scope = {**scope, "headers": [*scope["headers"], header]}
            send = _not_kept(send)
        await self._app(scope, receive, send)

    async def _value(self, scope: Scope) -> str:
        headers = {}
        cookies = []
        for name, value in scope["headers"]:
            if name == b"cookie":
                cookies.append(value.decode("latin-1"))
            headers[name] = value.decode("latin-1")
        if not cookies or b"authorization" in headers or b"x-clarifai-session-token" in headers:
            return ""
        value = _cookie("; ".join(cookies))
        if not value or _from_elsewhere(headers.get(b"sec-fetch-site", ""), headers.get(b"sec-fetch-mode", "")):
            return ""
        if scope["method"] in _SAFE:
            return value
        given = headers.get(CSRF_HEADER.encode(), "")
        if not given:
            return ""
        if not self._sessions.is_ready:
            await run_in_threadpool(self._sessions.ready)
        return value if allows(self._sessions, value, given) else ""


def _not_kept(send: Send) -> Send:
    """Have a browser keep no answer that says nothing of it: whoever signs in next must not find those of the last."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.setdefault("cache-control", "no-store")
            headers.setdefault("x-content-type-options", "nosniff")
        await send(message)

    return sending


def allows(sessions: Sessions, value: str, csrf: str) -> bool:
    """Whether a CSRF token goes with the value of a session."""
    try:
        right = sessions.read(value).csrf
    except KeyInvalid:
        return False
    return hmac.compare_digest(right.encode(), csrf.encode("utf-8", "replace"))


def cookie_of(request: Request) -> str:
    """The value of the session's cookie; "" for none."""
    return _cookie("; ".join(request.headers.getlist("cookie")))


def session_of(server: Server, request: Request) -> Session | None:
    """The session of the cookie, where it is one of ours and has not ended. Its key may be gone all the same."""
    try:
        return server.auth.sessions.read(cookie_of(request))
    except KeyInvalid:
        return None


def set_cookie(response: Response, settings: Settings, value: str) -> None:
    """Let the browser keep a session."""
    response.set_cookie(
        COOKIE, value, max_age=SECONDS, path="/", secure=_is_secure(settings), httponly=True, samesite="strict"
    )


def drop_cookie(response: Response, settings: Settings) -> None:
    """Let the browser forget its session."""
    response.delete_cookie(COOKIE, path="/", secure=_is_secure(settings), httponly=True, samesite="strict")


def is_own(request: Request) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says where it comes from."""
    site = request.headers.get("sec-fetch-site", "")
    if site:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    except ValueError:
        return False


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; the last one where a name comes twice.

    Raises:
        RequestTooLarge: it has more than 16 KiB.
    """
    body = await body_of(request, _MAX_FORM)
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[-1] for name, values in fields.items()}


async def body_of(request: Request, limit: int) -> bytes:
    """The body of a request.

    Raises:
        RequestTooLarge: it has more bytes than the limit.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise RequestTooLarge(f"the request has more than the {limit} bytes that are taken here")
    return bytes(body)


def csrf_in_body(body: bytes) -> str:
    """The CSRF token in a JSON object; "" for none. A page that is being left can't set a header."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    token = given.get("csrf", "") if isinstance(given, dict) else ""
    return token if isinstance(token, str) else ""


def local_path(wanted: str) -> str:
    """Where to go after signing in: a path of this server, with its query. Anything else is the first page."""
    legal = (
        wanted.startswith("/")
        # Browsers read both as the beginning of another server's address.
        and not wanted.startswith(("//", "/\\"))
        and len(wanted) <= _MAX_NEXT
        and all(" " < c < "\x7f" and c != "\\" for c in wanted)
        and not wanted.startswith(("/login", "/logout"))
    )
    return wanted if legal else HOME


class Tries:
    """Counts the tries to sign in that fail."""

    def __init__(self) -> None:
        self._one, self._all = Rate(TRIES), Rate(SHARED_TRIES)

    def count(self, request: Request) -> None:
        """Count one before it is made: of many at once, none is made beyond the limit.

        Raises:
            Throttled: there were too many of late.
        """
        rate, address = self._of(request)
        rate.count(address)

    def went_well(self, request: Request) -> None:
        """Take back what was counted."""
        rate, address = self._of(request)
        rate.give_back(address)

    def _of(self, request: Request) -> tuple[Rate, str]:
        address = request.client.host if request.client else ""
        return (self._one, address) if address else (self._all, "")


def _cookie(header: str) -> str:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            # What else it may be written with is no character of a session's.
            return value
    return ""


def _from_elsewhere(site: str, mode: str) -> bool:
    """Whether another page made the request: one of another port of this host too, to which our cookie goes as well."""
    return site in ("cross-site", "same-site") and mode != "navigate"


def _is_secure(settings: Settings) -> bool:
    return tls.scheme(settings) == "https" or (settings.public_url or "").lower().startswith("https://")
