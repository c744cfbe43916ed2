"""Every served RPC, over both transports, with requests that no well-meaning client would send.

The requests are made from the messages' descriptors (`some_requests`), so that an RPC which is served tomorrow is
tested here tomorrow. Whatever comes: the answer is a Status that says what is wrong, nothing that is another's shows
or changes, and what is refused leaves nothing behind.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from labelwright.ids import new_id
from labelwright.protocol import dispatch as dispatching
from labelwright.protocol import rest
from labelwright.protocol.dispatch import served
from labelwright.protocol.methods import Method, methods
from tests.conftest import _postgres_database
from tests.integration.some_requests import (
    APP,
    OF_THE_USER,
    OTHER_APP,
    crowds,
    deep,
    flood,
    good,
    mutants,
    referring,
)
from tests.integration.some_world import LIMIT, Answer, Person, Rows, World, opened

RPCS = sorted(served())
SUCCESS, MIXED, INSUFFICIENT = 10000, 10010, 11007
TOO_LARGE = 11100
NOT_THERE = {"GetModelVersionInputExample"}
"""RPCs for which there is nothing that a good request could find."""

NEVER = re.compile(
    r"Traceback|File \"|site-packages|\.py\b|internal error|sqlalchemy|sqlite3|psycopg|IntegrityError|"
    r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|FROM) [a-z_]+[ .]|/tmp/|/labelwright/|object at 0x|the store failed",
)
"""What no answer holds."""


@dataclass
class Lines:
    """Stands in for the log of calls."""

    bad: list[str] = field(default_factory=list)
    refused: int = 0

    def info(self, event: str, **_: Any) -> None:
        pass

    def warning(self, event: str, **_: Any) -> None:
        self.refused += 1

    def error(self, event: str, **values: Any) -> None:
        error = values.pop("exc_info", None)
        self.bad.append(f"{event} {values} {error!r} {_where(error)}")


def _where(error: BaseException | None) -> str:
    found, tb = "", error.__traceback__ if error else None
    while tb is not None:
        found += f" <- {tb.tb_frame.f_code.co_filename.rpartition('/')[2]}:{tb.tb_lineno}"
        tb = tb.tb_next
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("every")
    with opened(f"sqlite:///{home / 'store.db'}", home) as world:
        yield world


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Lines:
    made = Lines()
    monkeypatch.setattr(dispatching, "log", made)
    return made


@pytest.fixture
def world(built: World, lines: Lines) -> Iterator[World]:
    """The world as it was in the beginning; behind each test, nothing of the victim's has changed."""
    built.restore()
    before = built.of(built.victim, built.rows())
    assert len(before["apps"]) == 2 and len(before["inputs"]) == 1
    yield built
    assert lines.bad == []
    assert built.of(built.victim, built.rows()) == before


@pytest.fixture(params=RPCS)
def method(request: pytest.FixtureRequest) -> Method:
    return methods()[request.param]


def dice_for(method: Method) -> random.Random:
    """The same for the same RPC, whatever is tested beside it."""
    return random.Random(zlib.crc32(method.name.encode()))


def checked(answer: Answer, said: Any) -> Answer:
    """What every answer has."""
    assert answer.code, said
    assert answer.req_id, said
    if found := NEVER.search(answer.text):
        raise AssertionError(f"{found[0]!r} in {answer.text[:500]!r}; asked: {str(said)[:500]!r}")
    assert answer.http < 500 or answer.code == 10030, (answer, said)
    if answer.http:
        assert (answer.http == 200) == (answer.code in (SUCCESS, MIXED)), (answer, said)
    return answer


class Unchanged:
    """Watches the rows: a call that is refused leaves them alone."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._version = world.version()
        self._rows = self._look()

    def _look(self) -> Rows:
        rows = self._world.rows()
        # A job counts what its calls refused.
        del rows["inputs_add_jobs"]
        return rows

    def after(self, answer: Answer, said: Any) -> None:
        version = self._world.version()
        if version == self._version:
            return
        now = self._look()
        if answer.code not in (SUCCESS, MIXED):
            assert now == self._rows, f"{answer}\nchanged {changed(self._rows, now)} by\n{str(said)[:1000]}"
        self._version, self._rows = version, now


def changed(before: Rows, now: Rows) -> dict[str, Any]:
    return {k: (sorted(set(before[k]) ^ set(now[k]), key=repr)) for k in now if before[k] != now[k]}


def lacks(world: World, method: Method, person: Person) -> None:
    """"""


# --- what the others are measured by --------------------------------------------------------------


def test_a_good_request_goes_well(world: World, method: Method) -> None:
    request = good(method, world.owner.id, world.owner.names)
    for way in (world.over_grpc, world.over_rest):
        world.restore()
        answer = checked(way(method.name, request), request)
        assert (answer.code == SUCCESS) != (method.name in NOT_THERE), answer


# --- bad values -----------------------------------------------------------------------------------


def bad_requests(world: World, method: Method, dice: random.Random, most: int) -> Iterator[Any]:
    base = good(method, world.owner.id, world.owner.names)
    yield method.request()
    for _ in range(4):
        yield flood(method.request(), dice)
        made = flood(method.request(), dice)
        if base.DESCRIPTOR.fields_by_name.get("user_app_id"):
            made.user_app_id.CopyFrom(base.user_app_id)
        yield made
    yield from mutants(base, dice, most)
    for count in (129, 1001):
        yield from crowds(base, count)
    for levels in (12, 29, 45):
        for made in deep(base, levels):
            if dice.random() < 0.3:
                yield made


def test_wrong_values_over_grpc(world: World, method: Method) -> None:
    watch = Unchanged(world)
    for request in bad_requests(world, method, dice_for(method), 60):
        try:
            wire = request.SerializeToString()
        except ValueError:
            continue
        if len(wire) > LIMIT:
            continue
        answer = checked(world.over_grpc(method.name, wire), request)
        watch.after(answer, request)


def test_wrong_values_over_rest(world: World, method: Method) -> None:
    watch = Unchanged(world)
    for request in bad_requests(world, method, dice_for(method), 20):
        try:
            body = json_format.MessageToDict(request, preserving_proto_field_name=True)
        except (json_format.Error, ValueError):
            # Times beyond all years and the like, which JSON has no way to say.
            continue
        answer = checked(world.asked(method.name, body), request)
        watch.after(answer, request)
