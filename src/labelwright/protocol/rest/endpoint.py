"""The HTTP side: a request that has a route becomes a call of the dispatcher, and its reply JSON."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from google.protobuf.message import Message
from starlette.datastructures import URLPath
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

from labelwright.errors import LabelwrightError, MethodNotAllowed
from labelwright.protocol import resources
from labelwright.protocol.dispatch import SMALL, TURNS, Server, dispatch, dispatch_stream, request_id, stranger
from labelwright.protocol.http import error_response
from labelwright.protocol.methods import Method, methods
from labelwright.protocol.rest.bindings import Binding, bindings
from labelwright.protocol.rest.bodies import Gone, take_body
from labelwright.protocol.rest.printing import print_message
from labelwright.protocol.rest.query import put_path, put_query, segments
from labelwright.protocol.rest.reading import fill_message, plain, read_message
from labelwright.protocol.rest.statuses import http_status
from labelwright.protocol.rest.streams import send_lines
from labelwright.protocol.rest.trie import Trie, values

THROTTLED = 11005

SUCCEEDED = {"code": 10000, "description": "Ok"}

AUTH_METHODS = [
    {
        "id": "key",
        "description": "a personal access token or an app's key",
        "header": "Authorization: Key <token>",
    }
]
"""The official SDK asks for this to find out whether a host without a scheme speaks the API."""


def routes(server: Server) -> list[BaseRoute]:
    """The routes of all RPCs, served or not, and ``GET /v2/auth/methods``."""
    resources.populate()

    async def auth_methods(request: Request) -> Response:
        return JSONResponse({"status": {**SUCCEEDED, "req_id": request_id(request.headers)}, "methods": AUTH_METHODS})

    return [Route("/v2/auth/methods", auth_methods, methods=["GET"]), Api(server)]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as far as it is known before its body."""

    binding: Binding
    path: list[str]
    query: bytes
    headers: dict[str, str]

    @property
    def method(self) -> Method:
        return methods()[self.binding.method]

    @property
    def takes_body(self) -> bool:
        return self.binding.verb != "GET"

    def message(self, body: bytes | LabelwrightError) -> Message | LabelwrightError:
        """The request of the RPC, or why there is none.

        A GET says what it wants in the query; another call in its body, or in the query where it has none. The path
        outranks both.
        """
        if isinstance(body, LabelwrightError):
            return body
        try:
            if not self.takes_body or not body.strip():
                made = self.method.request()
                put_query(made, self.query)
            elif self.binding.body in ("", "*"):
                # Official clients send a body where none is declared too, as with DELETE.
                made = read_message(self.method.request, body)
            else:
                made = self.method.request()
                put_query(made, self.query)
                fill_message(made, {self.binding.body: plain(body)})
            put_path(made, values(self.binding, self.path))
        except LabelwrightError as e:
            return e
        return made


class Api(BaseRoute):
    """All paths of the API as one route: a tree finds the binding in microseconds, a list of 467 would not."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._trie = Trie(bindings())
        # As for gRPC: beside the calls that work, a thread for each that may wait for a prediction.
        self._pool = ThreadPoolExecutor(TURNS + server.settings.predict_in_flight, thread_name_prefix="rest")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or not scope["path"].startswith("/v2/"):
            return Match.NONE, {}
        # The raw path: behind a %2F stands a slash that belongs to an id.
        path = list(segments(scope.get("raw_path") or scope["path"].encode()))
        verb = "GET" if scope["method"] == "HEAD" else scope["method"]
        binding = self._trie.find(verb, path)
        if binding is None and not self._trie.verbs(path):
            return Match.NONE, {}
        return Match.FULL, {"rest_path": path, "rest_binding": binding}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, binding = scope["rest_path"], scope["rest_binding"]
        if binding is None:
            await self._other_verb(scope, path)(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        asked = Asked(binding, path, scope["query_string"], headers)
        try:
            body: bytes | LabelwrightError = b""
            if asked.takes_body:
                body = await self._body(asked, receive)
        except Gone:
            return
        loop, head = asyncio.get_running_loop(), scope["method"] == "HEAD"
        if asked.method.server_streams:
            request = await loop.run_in_executor(self._pool, asked.message, body)
            replies = dispatch_stream(self._server, asked.method, request, headers)
            await send_lines(replies, self._pool, receive, send, head=head)
            return
        printed, status, retry = await loop.run_in_executor(self._pool, self._answer, asked, body)
        start_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(printed)), *retry]
        if isinstance(body, LabelwrightError):
            # Its rest may still be on the way: uvicorn would wait for it.
            start_headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": start_headers})
        await send({"type": "http.response.body", "body": printed})

    async def _body(self, asked: Asked, receive: Receive) -> bytes | LabelwrightError:
        """The body; of one that nobody who may call sends, no more than a little is kept."""
        limit, why = self._server.settings.max_message_bytes, None
        announced = asked.headers.get("content-length", "0")
        size = int(announced) if announced.isdecimal() else 0
        if "transfer-encoding" in asked.headers or size > SMALL:
            look = partial(stranger, self._server, asked.method, asked.headers, limit)
            why = await asyncio.get_running_loop().run_in_executor(self._pool, look)
        return await take_body(receive, asked.headers, limit if why is None else SMALL, patience=limit)

    def _answer(self, asked: Asked, body: bytes | LabelwrightError) -> tuple[bytes, int, list[tuple[bytes, bytes]]]:
        """The reply as JSON, its HTTP status, and the headers that it asks for besides. Runs in a thread."""
        reply = dispatch(self._server, asked.method, asked.message(body), asked.headers)
        state = cast(Any, reply).status
        more = []
        if state.code == THROTTLED and (limit := self._server.settings.rate_limit):
            # A bucket that is empty holds a call again after this long at most.
            more.append((b"retry-after", b"%d" % math.ceil(60 / limit)))
        return print_message(reply), http_status(state), more

    def _other_verb(self, scope: Scope, path: list[str]) -> Response:
        verb, known = scope["method"], self._trie.verbs(path)
        allow = ", ".join(sorted({*known, "OPTIONS", *(["HEAD"] if "GET" in known else [])}))
        if verb == "OPTIONS":
            return Response(status_code=204, headers={"allow": allow})
        answer = error_response(MethodNotAllowed(f"{verb} has no meaning at this path; legal are {allow}"), scope)
        answer.headers["allow"] = allow
        return answer
