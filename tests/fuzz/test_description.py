"""Every operation of ``/openapi.json``, called with what its own description allows, and with what it does not.

Here it is a sample, the same at each run. ``FUZZ_EXAMPLES=100`` makes that many calls of each operation, and
``FUZZ_SEED`` others.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from labelwright import errors
from labelwright.protocol.openapi import document
from labelwright.protocol.rest.statuses import FAILED, WELL
from tests.acceptance.conftest import Running
from tests.fuzz.aim import Aim
from tests.fuzz.world import World

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
FEW, FEWER = 4, 1
"""Calls of an operation in the sample: by the main path of its RPC, and by each other one."""
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
    running = Running(tmp_path_factory.mktemp("fuzz") / "home")
    try:
        with contextlib.closing(World(running.start())) as made:
            made.renew()
            yield made
    finally:
        running.close()


@pytest.fixture(scope="module")
def operations(world: World) -> dict[str, Any]:
    """Schemathesis' operations by their ids."""
    import schemathesis

    schema = schemathesis.openapi.from_dict(_closed(world.document))
    made = [result.ok() for result in schema.get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in made}


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
    operation_id: str, verb: str, world: World, operations: dict[str, Any]
) -> None:
    operation = operations[operation_id]
    described = world.document["paths"][operation.path][verb]
    check = Check(world.document, described)
    count = EXAMPLES or (FEW if operation_id == described["summary"] else FEWER)
    if verb == "delete" or not world.is_whole():
        world.renew()

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
        if verb == "delete" and EXAMPLES and not world.is_whole():
            world.renew()
        aim = Aim(seed, world.pool)
        path = operation.path
        for name, value in case.path_parameters.items():
            path = path.replace(f"{{{name}}}", quote(aim.path(name, str(value)), safe="%").replace(".", "%2E"))
        body = json.dumps(aim.body(case.body)).encode() if isinstance(case.body, (dict, list)) else b""
        query = _pairs(aim.query(case.query))
        reply = world.http.request(verb, path, params=query, content=body, headers=world.headers)
        asked = f"{verb.upper()} {path}?{query}\n{body[:4000]!r}"
        check.reply(reply.status_code, reply.headers["content-type"], reply.content, asked)

    call()
    assert world.running.process is not None
    assert world.running.process.poll() is None, world.running.log.read_text()


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
        schema = _closed(content["schema"] | {"components": described["components"]})
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
