"""A function of the protocol as a JSON endpoint: by the keys, scopes and rates of an RPC, and in its envelope."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from labelwright.errors import BadRequestFormat, LabelwrightError
from labelwright.protocol.dispatch import SMALL, Call, Server, beside
from labelwright.protocol.methods import methods
from labelwright.protocol.rest.printing import print_message
from labelwright.protocol.rest.statuses import http_status
from labelwright.review.security import DATA_HEADERS
from labelwright.review.session import allows, body_of, cookie_of, csrf_in_body

Function = Callable[[Call, Any, Mapping[str, Any]], Mapping[str, Any]]
"""Call, the app as UserAppIDSet, what was given; gives what JSON can hold."""

MAX_BODY = 4 * 2**20
"""Bytes of a request: 500 verdicts have a tenth of that."""

_WRONG_JSON = "the body is no JSON object in UTF-8; send one, such as {}"


def endpoint(
    server: Server, pool: Executor, verb: str, path: str, rpc: str, function: Function, shows: Sequence[str] = ()
) -> Route:
    """A route of ``verb path``, with ``user`` and ``app`` in the path; ``shows``: RPCs that must be allowed as well.

    A GET is given its query, a text for each name or a list where it comes several times; a POST the JSON object of
    its body.
    """

    async def answer(request: Request) -> Response:
        body: bytes | LabelwrightError = b""
        if verb != "GET":
            try:
                body = await body_of(request, MAX_BODY)
            except ClientDisconnect:
                return Response(status_code=400)
            except LabelwrightError as e:
                body = e
        return await asyncio.get_running_loop().run_in_executor(pool, _answer, request, body)

    def _answer(request: Request, body: bytes | LabelwrightError) -> Response:
        started = time.perf_counter()
        headers = dict(request.headers)
        # A page that is being left sends 64 KiB at most: so much of a stranger's is looked at, and no more.
        if isinstance(body, bytes) and len(body) <= SMALL and "authorization" not in headers:
            value = cookie_of(request)
            if value and (token := csrf_in_body(body)) and allows(server.auth.sessions, value, token):
                headers["authorization"] = f"Session {value}"
        asked: Any = methods()["GetApp"].request()
        where = asked.user_app_id
        where.user_id, where.app_id = request.path_params["user"], request.path_params["app"]

        def work(call: Call) -> bytes:
            # Only now, that somebody has said who they are: a stranger's megabytes are not parsed.
            if isinstance(body, LabelwrightError):
                raise body
            given = of_query(request.query_params) if verb == "GET" else of_body(body)
            return _encoded(function(replace(call, also=shows), where, given))

        done = beside(server, rpc, headers, work)
        # The browser's own tools show it beside what the network took.
        took = f"call;dur={1000 * (time.perf_counter() - started):.1f}"
        shown = {**DATA_HEADERS, "content-type": "application/json", "server-timing": took}
        if isinstance(done, bytes):
            return Response(done, 200, shown)
        state: Any = done
        return Response(print_message(done), http_status(state.status), shown)

    return Route(path, answer, methods=[verb])


def as_json(value: Mapping[str, Any], status: int = 200) -> Response:
    """JSON that is nobody's but the page's."""
    return Response(_encoded(value), status, {**DATA_HEADERS, "content-type": "application/json"})


def _encoded(value: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        # One value of one annotation must not keep a page from all the others.
        text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _finite(value: Any) -> Any:
    """The same, with null for each number that JSON has no word for."""
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def of_query(query: QueryParams) -> dict[str, Any]:
    """A query as functions are given it: a text, or a list of texts where a name comes several times."""
    # One pass: a look through all for each name takes 7 s for the 13,000 names that a request's head may hold.
    found: dict[str, list[str]] = {}
    for name, value in query.multi_items():
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def of_body(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; {} for an empty one. The page's CSRF token is taken out.

    Raises:
        BadRequestFormat: it is something else.
    """
    if not body.strip():
        return {}
    try:
        # Decoded here: json would take UTF-16 too, and half a character that is written as bytes.
        given = json.loads(body.decode("utf-8-sig"), parse_constant=_no_number)
        if b"\\ud" in body.lower():
            # Half a character, which no store takes.
            json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadRequestFormat(_WRONG_JSON) from None
    if not isinstance(given, dict):
        raise BadRequestFormat(_WRONG_JSON)
    given.pop("csrf", None)
    return given


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
