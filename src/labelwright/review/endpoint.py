"""A function of the protocol as a JSON endpoint: by the keys, scopes and rates of an RPC, and in its envelope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from labelwright.errors import BadRequestFormat, LabelwrightError
from labelwright.protocol.dispatch import Call, Server, beside
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


def endpoint(server: Server, pool: Executor, verb: str, path: str, rpc: str, function: Function) -> Route:
    """A route of ``verb path``, with ``user`` and ``app`` in the path.

    A GET is given its query, a text for each name or a list where it comes several times; a POST the JSON object of
    its body.
    """

    async def answer(request: Request) -> Response:
        headers = dict(request.headers)
        given: Mapping[str, Any] | LabelwrightError
        try:
            if verb == "GET":
                given = of_query(request.query_params)
            else:
                body = await body_of(request, MAX_BODY)
                given = of_body(body)
                if "authorization" not in headers and (token := csrf_in_body(body)):
                    value = cookie_of(request)
                    if await asyncio.to_thread(allows, server.auth.sessions, value, token):
                        headers["authorization"] = f"Session {value}"
        except ClientDisconnect:
            return Response(status_code=400)
        except LabelwrightError as e:
            given = e
        params = request.path_params
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, _answer, headers, params["user"], params["app"], given)

    def _answer(
        headers: Mapping[str, str], user: str, app: str, given: Mapping[str, Any] | LabelwrightError
    ) -> Response:
        asked: Any = methods()["GetApp"].request()
        where = asked.user_app_id
        where.user_id, where.app_id = user, app

        def work(call: Call) -> Mapping[str, Any]:
            if isinstance(given, LabelwrightError):
                raise given
            return function(call, where, given)

        done = beside(server, rpc, headers, work)
        if isinstance(done, Mapping):
            return as_json(done)
        state: Any = done
        return Response(
            print_message(done), http_status(state.status), {**DATA_HEADERS, "content-type": "application/json"}
        )

    return Route(path, answer, methods=[verb])


def as_json(value: Mapping[str, Any], status: int = 200) -> Response:
    """JSON that is nobody's but the page's."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body.encode("utf-8", "replace"), status, {**DATA_HEADERS, "content-type": "application/json"})


def of_query(query: QueryParams) -> dict[str, Any]:
    """A query as functions are given it: a text, or a list of texts where a name comes several times."""
    names = dict.fromkeys(query.keys())
    return {name: values[0] if len(values := query.getlist(name)) == 1 else values for name in names}


def of_body(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; {} for an empty one. The page's CSRF token is taken out.

    Raises:
        BadRequestFormat: it is something else.
    """
    if not body.strip():
        return {}
    try:
        given = json.loads(body, parse_constant=_no_number)
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
