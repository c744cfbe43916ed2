"""Every operation of ``/openapi.json``, called with what its own description allows, and with what it does not.

Here it is a sample, the same at each run. ``FUZZ_EXAMPLES=25`` makes that many calls of each operation, and with
another ``FUZZ_SEED`` they are others.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any, cast
from urllib.parse import quote, unquote

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from labelwright import errors
from labelwright.protocol.openapi import document
from labelwright.protocol.rest.statuses import FAILED, WELL
from tests.fuzz.aim import Aim
from tests.fuzz.world import World

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
FEW = 3
"""Random calls in the sample, by the main path of each RPC. A good one comes first, by every path."""
NOTHING_THERE = {"GetModelVersionInputExample"}
"""RPCs that find nothing in any app of this server."""
RENEW = 10
"""Random calls that change or delete, after which the app is made anew."""
SEED = int(os.environ.get("FUZZ_SEED", "20240531"))
VERBS = ("post", "patch", "get", "delete")
"""In this order: what is posted is read after it."""

OPERATIONS = sorted(
    (
        (operation["operationId"], verb)
        for operations in document()["paths"].values()
        for verb, operation in operations.items()
    ),
    key=lambda pair: (VERBS.index(pair[1]), pair),
)

pytestmark = pytest.mark.timeout(0 if EXAMPLES else 120)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.closing(World(tmp_path_factory.mktemp("fuzz"))) as made:
        yield made


@pytest.fixture(scope="module")
def operations(world: World) -> dict[str, Any]:
    """Schemathesis' operations by their ids."""
    import schemathesis

    schema = schemathesis.openapi.from_dict(_full(world.document))
    made: list[Any] = [cast(Any, result).ok() for result in schema.get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in made}


@pytest.fixture(scope="module")
def replies(world: World) -> dict[str, Any]:
    """The document for looking at replies: they have nothing that it does not name."""
    made: dict[str, Any] = _closed(world.document)
    return made


def _full(document: dict[str, Any]) -> dict[str, Any]:
    """The document with requests that say something: left alone, most would be an empty object."""
    made: dict[str, Any] = _closed(document)
    schemas = made["components"]["schemas"]
    for operation in (o for operations in made["paths"].values() for o in operations.values()):
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            lists = {n: p for n, p in schemas[name]["properties"].items() if p.get("type") == "array"}
            schemas[name]["required"] = list(lists)
            for each in lists.values():
                each |= {"minItems": 1, "maxItems": 2}
                item = schemas.get(each["items"].get("$ref", "").rpartition("/")[2])
                if item is not None and "properties" in item:
                    item["minProperties"] = min(3, len(item["properties"]))
    return made


def _closed(value: Any) -> Any:
    """A document in which objects have no more than their properties: names that are not known are passed over, and a
    sample that is full of them would show little."""
    if isinstance(value, list):
        return [_closed(each) for each in value]
    if not isinstance(value, dict):
        return value
    more = {"additionalProperties": False} if value.get("type") == "object" and "properties" in value else {}
    return {name: _closed(each) for name, each in value.items()} | more


@pytest.mark.parametrize(("operation_id", "verb"), OPERATIONS, ids=[o for o, _ in OPERATIONS])
def test_no_call_that_the_description_allows_fails_within_the_server(
    operation_id: str, verb: str, world: World, operations: dict[str, Any], replies: dict[str, Any]
) -> None:
    operation = operations[operation_id]
    described = world.document["paths"][operation.path][verb]
    rpc = described["summary"]
    check = Check(replies, described)
    if verb == "delete" or rpc.endswith("Ids") or world.is_stale():
        world.renew()

    def send(path: str, query: dict[str, Any], body: Any) -> httpx.Response:
        content = json.dumps(body).encode() if body is not None else b""
        reply = world.http.request(verb, path, params=cast(Any, _pairs(query)), content=content, headers=world.headers)
        asked = f"{verb.upper()} {path}?{query}\n{content[:4000]!r}"
        check.reply(reply.status_code, reply.headers["content-type"], reply.content, asked)
        return reply

    path, query, body = _parts(described, world.good(rpc))
    good = send(_filled(operation.path, path), query, body)
    # By another path of the RPC what was to be made may be there already.
    assert good.status_code == 200 or operation_id != rpc or rpc in NOTHING_THERE, f"{rpc}: {good.text}"
    count = EXAMPLES or (FEW if operation_id == rpc else 0)
    if not count:
        return
    done = itertools.count(1)

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), seed=st.integers(0, 2**32))
    def call(case: Any, seed: int) -> None:
        if verb in ("patch", "delete") and next(done) % RENEW == 0:
            world.renew()
        aim = Aim(seed, world.pool)
        aimed = {name: aim.path(name, good, unquote(str(case.path_parameters[name]))) for name, good in path.items()}
        made = case.body if isinstance(case.body, (dict, list)) else None
        send(
            _filled(operation.path, aimed),
            aim.query(query, case.query),
            aim.body(body, made) if body is not None and made is not None else body,
        )

    call()
    assert world.running.process is not None
    assert world.running.process.poll() is None, world.running.log.read_text()


def _parts(described: dict[str, Any], good: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any], Any]:
    """What goes well, for the path, the query and the body of one operation."""
    flat = dict(_flat(good))
    last = {name.rpartition(".")[2]: value for name, value in flat.items()}
    path = {p["name"]: str(last.get(p["name"], "-")) for p in described["parameters"] if p["in"] == "path"}
    query = {p["name"]: flat[p["name"]] for p in described["parameters"] if p["in"] == "query" and p["name"] in flat}
    return path, query, good if "requestBody" in described else None


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _filled(template: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value or "-", safe="").replace(".", "%2E"))
    return template


def _pairs(query: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, _written(each)) for name, v in query.items() for each in (v if isinstance(v, list) else [v])]


def _written(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()


class Check:
    """What every reply of an operation has to be."""

    def __init__(self, described: dict[str, Any], operation: dict[str, Any]) -> None:
        import jsonschema_rs

        ((self._media, content),) = operation["responses"]["default"]["content"].items()
        schema = content["schema"] | {"components": described["components"]}
        self._validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    def reply(self, http: int, media: str, content: bytes, asked: str) -> None:
        assert http < 500, f"{http} to {asked}\n{content[:2000]!r}"
        assert media == self._media, asked
        lines = content.split(b"\n")[:-1] if self._media.endswith("ndjson") else [content]
        for number, line in enumerate(lines):
            body = json.loads(line)
            status = body["status"]
            assert status["req_id"], f"{asked}\n{body}"
            # A stream's HTTP status is that of its first line.
            assert number or http in _fitting()[status["code"]], f"{http} to {asked}\n{status}"
            wrong = next(self._validator.iter_errors(body), None)
            assert wrong is None, f"{wrong}\nin the reply to {asked}\n{line[:2000]!r}"


@cache
def _fitting() -> dict[int, set[int]]:
    """Each status code to the HTTP statuses that it may come with."""
    found: dict[int, set[int]] = {code: {http} for code, http in WELL.items()}
    found[FAILED] = {400}
    waiting = errors.LabelwrightError.__subclasses__()
    while waiting:
        one = waiting.pop()
        found.setdefault(one.code, set()).add(one.http_status)
        waiting.extend(one.__subclasses__())
    return found
