"""Every served RPC, over both transports, with requests that no well-meaning client would send.

The requests are made from the messages' descriptors (`some_requests`), so that an RPC which is served tomorrow is
tested here tomorrow. Whatever comes: the answer is a Status that says what is wrong, nothing that is another's shows
or changes, and what is refused leaves nothing behind.

What is tested here is refusal. That each RPC does its work is the matter of the other modules.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

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
    leaves,
    mutants,
    put,
    reached,
    referring,
)
from tests.integration.some_world import LIMIT, Answer, Rows, World, opened, secret

RPCS = sorted(served())
SUCCESS, MIXED, INSUFFICIENT = 10000, 10010, 11007
TOO_LARGE = 11100
NOT_THERE = {"GetModelVersionInputExample"}
"""RPCs for which there is nothing that a good request could find."""

OF_THE_SERVER = {"GetModelType", "ListModelTypes"}
"""RPCs that answer alike whatever app is named."""

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
    assert len(before["apps"]) == 2
    assert len(before["inputs"]) == 1
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


# --- what the others are measured by --------------------------------------------------------------


def test_a_good_request_goes_well(world: World, method: Method) -> None:
    request = good(method, world.owner.id, world.owner.names)
    for way in (world.over_grpc, world.over_rest):
        world.restore()
        answer = checked(way(method.name, request), request)
        assert (answer.code == SUCCESS) != (method.name in NOT_THERE), answer


# --- bad values -----------------------------------------------------------------------------------


def bad_requests(world: World, method: Method, most: int) -> Iterator[Any]:
    """Nothing; everything wrong, in the world's app and elsewhere; one thing wrong; too many; too deep."""
    dice = dice_for(method)
    base = good(method, world.owner.id, world.owner.names)
    yield method.request()
    for _ in range(3):
        yield flood(method.request(), dice)
        if "user_app_id" in base.DESCRIPTOR.fields_by_name:
            made = flood(method.request(), dice)
            made.user_app_id.CopyFrom(base.user_app_id)
            yield made
    yield from mutants(base, dice, most)
    yield from dice.sample(made := list(crowds(base, 129)), min(3, len(made)))
    yield from dice.sample(made := list(crowds(base, 1001)), min(1, len(made)))
    for levels in (12, 29, 45):
        yield from dice.sample(made := list(deep(base, levels)), min(3, len(made)))


READING = ("Get", "List", "MyScopes", "Stream")
LISTINGS = [name for name in RPCS if name.startswith("List")]


def can_still_be_read(world: World) -> None:
    """Whatever strange things were stored: lists show them, as JSON too."""
    for name in LISTINGS:
        request = good(methods()[name], world.owner.id, world.owner.names)
        checked(world.over_rest(name, request), request)


def test_wrong_values_over_grpc(world: World, method: Method) -> None:
    watch = Unchanged(world)
    for request in bad_requests(world, method, 24):
        wire = request.SerializeToString()
        if len(wire) <= LIMIT:
            watch.after(checked(world.over_grpc(method.name, wire), request), request)
    if not method.name.startswith(READING):
        can_still_be_read(world)


def test_wrong_values_over_rest(world: World, method: Method) -> None:
    watch = Unchanged(world)
    for request in bad_requests(world, method, 12):
        if request.ByteSize() > LIMIT // 10:
            continue
        try:
            body = json_format.MessageToDict(request, preserving_proto_field_name=True)
        except (json_format.Error, ValueError):
            # Times beyond all years and the like, which JSON has no way to say.
            continue
        answer = checked(world.asked(method.name, body), request)
        watch.after(answer, request)


# --- what is another's ----------------------------------------------------------------------------


def alike(text: str, *names: str) -> str:
    """A reply without what differs between two calls: the request's id, and the names that were asked for."""
    text = re.sub(r'"?req_id"?: ?"[^"]*"', "", text)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "?")
    return text


def asked_everywhere(world: World, method: Method, request: Any, token: str | None = None) -> Iterator[Answer]:
    """A request over gRPC, and over every path that REST has for it."""
    yield checked(world.over_grpc(method.name, request, token), request)
    body = json_format.MessageToDict(request, preserving_proto_field_name=True)
    for binding in rest.bindings():
        if binding.method == method.name and not binding.hidden_by:
            yield checked(world.asked(method.name, body, token, binding), (binding, request))


def test_what_is_anothers_is_as_good_as_absent(world: World, method: Method) -> None:
    if "user_app_id" not in method.request.DESCRIPTOR.fields_by_name:
        return
    victim, nobody, nowhere = world.victim, f"nobody-{new_id()[-8:]}", "cellar"
    places = [(victim.id, APP), (nobody, APP)]
    if method.name not in OF_THE_USER:
        places.append((victim.id, nowhere))
    tokens = [world.owner.token, world.key(world.owner, "All", app=APP)]
    before = world.rows()
    for token in tokens:
        told: list[list[tuple[int, str]]] = []
        for user, app in places:
            request = good(method, user, victim.names, app)
            answers = asked_everywhere(world, method, request, token)
            told.append([(a.code, alike(a.text, victim.id, nobody, nowhere, APP)) for a in answers])
        assert all(each == told[0] for each in told), told
        if method.name not in OF_THE_USER | OF_THE_SERVER:
            assert all(code != SUCCESS for code, _ in told[0]), told
    assert changed(before, world.rows()) == {}


def test_a_key_of_one_app_sees_no_other(world: World, method: Method) -> None:
    if "user_app_id" not in method.request.DESCRIPTOR.fields_by_name:
        return
    owner, nowhere = world.owner, "cellar"
    bound = world.key(owner, "All", app=OTHER_APP)
    before = world.rows()
    told = []
    for app in (APP, nowhere):
        answers = asked_everywhere(world, method, good(method, owner.id, owner.names, app), bound)
        told.append([(a.code, alike(a.text, nowhere, APP)) for a in answers])
    assert told[0] == told[1]
    if method.personal:
        assert {code for code, _ in told[0]} == {INSUFFICIENT}
    assert changed(before, world.rows()) == {}


def test_anothers_ids_mean_nothing_in_the_own_app(world: World, method: Method) -> None:
    """Of what the server named itself: keys, versions, relations, collaborators, jobs."""
    owner, victim = world.owner, world.victim
    people = ("guest", "stranger")
    made_up = {name: known if name in people else new_id() for name, known in victim.names.items()}
    told = []
    for names in (victim.names, made_up):
        world.restore()
        request = good(method, owner.id, names)
        answer = checked(world.over_grpc(method.name, request), request)
        told.append((answer.code, alike(answer.details, *names.values())))
    assert told[0] == told[1]


def test_what_a_request_refers_to_may_not_be_anothers(world: World, method: Method) -> None:
    owner, victim, nobody, nowhere = world.owner, world.victim, f"nobody-{new_id()[-8:]}", "cellar"
    told = []
    for user, app in ((victim.id, APP), (nobody, APP), (victim.id, nowhere)):
        request = referring(good(method, owner.id, owner.names), user, app)
        if request is None:
            return
        world.restore()
        answer = checked(world.over_grpc(method.name, request), request)
        told.append((answer.code, alike(answer.details, victim.id, nobody, nowhere, APP)))
        assert secret(victim) not in answer.text
    assert told[0] == told[1] == told[2]


# --- who may call ---------------------------------------------------------------------------------

GIVING = {"PostKeys"}
"""Who calls this needs what is given away besides."""


def test_scopes(world: World, method: Method) -> None:
    if not method.needs_key:
        assert checked(world.over_grpc(method.name, method.request(), ""), method).code in (SUCCESS, 11101)
        return
    request = good(method, world.owner.id, world.owner.names)
    watch = Unchanged(world)
    for token, code in (("", 11102), ("nonsense", 11008), (new_id(), 11009)):
        for way in (world.over_grpc, world.over_rest):
            answer = checked(way(method.name, request, token), request)
            assert (answer.code, answer.http) in ((code, 0), (code, 401))
            watch.after(answer, request)
    lacking = [method.scopes - {scope} for scope in sorted(method.scopes)]
    tokens = world.keys(world.owner, [*lacking, method.scopes])
    watch = Unchanged(world)
    for token, scope in zip(tokens, sorted(method.scopes), strict=False):
        answer = checked(world.over_grpc(method.name, request, token), request)
        assert answer.code == INSUFFICIENT
        assert scope in answer.details
        watch.after(answer, request)
    if lacking:
        answer = checked(world.over_rest(method.name, request, tokens[0]), request)
        assert (answer.code, answer.http) == (INSUFFICIENT, 403)
        watch.after(answer, request)
    if method.personal:
        answer = checked(world.over_grpc(method.name, request, world.key(world.owner, "All", app=APP)), request)
        assert answer.code == INSUFFICIENT
    answer = checked(world.over_grpc(method.name, request, tokens[-1]), request)
    assert (answer.code == SUCCESS) != (method.name in NOT_THERE | GIVING), answer
    assert "needs scopes" not in answer.details


# --- what is no request ---------------------------------------------------------------------------

NO_JSON = (b"{", b"[]", b"[1]", b'"text"', b"1", b"nul", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"{} {}", b'{"a": NaN}')
TWICE = b'{"user_app_id": {}, "user_app_id": {}, "a": 1, "a": 2}'
WRONG_TYPES: tuple[Any, ...] = (
    *("text", "\ud800", "\0", "@@@", 1.5, -1, 10**30, True, None, [], {}, [[]], [{}], ["x", 1], [None], {"": {}}),
    *([{"id": 1}], [{"id": {}}], [{"data": []}], [{"data": {"image": {"base64": "%%%"}}}], {"user_id": ["me"]}),
    *([{"data": {"metadata": [1]}}], [{"data": {"concepts": {"id": "x"}}}], {"app_id": 7, "user_id": None}),
)
"""For a field of any type, most of these are wrong."""


def test_what_is_no_message_over_rest(world: World, method: Method) -> None:
    watch, dice = Unchanged(world), dice_for(method)
    binding = world.binding(method.name)
    base = good(method, world.owner.id, world.owner.names)
    plain = json_format.MessageToDict(base, preserving_proto_field_name=True)
    bodies: list[Any] = []
    if binding.verb != "GET":
        for body in (*NO_JSON, TWICE, b"[" * 50_000, b'{"a":' * 2000 + b"1" + b"}" * 2000, b"9" * 5000):
            answer = checked(world.asked(method.name, body), body)
            assert (answer.code, answer.http) == (11100, 400), (body[:50], answer)
            watch.after(answer, body)
    for known in method.request.DESCRIPTOR.fields:
        wrong = WRONG_TYPES if known.message_type else dice.sample(WRONG_TYPES, 8)
        bodies += [{**plain, known.name: value} for value in wrong]
    for name, items in plain.items():
        item = items[0] if isinstance(items, list) else None
        for key in item if isinstance(item, dict) else ():
            bodies += [{**plain, name: [{**dict(item or {}), key: value}]} for value in dice.sample(WRONG_TYPES, 6)]
    for body in dice.sample(bodies, min(30, len(bodies))):
        answer = checked(world.asked(method.name, body), body)
        watch.after(answer, body)


def test_what_is_no_message_over_grpc(world: World, method: Method) -> None:
    watch, dice = Unchanged(world), dice_for(method)
    wire = good(method, world.owner.id, world.owner.names).SerializeToString()
    cut = [wire[: dice.randrange(len(wire))] for _ in range(6)] if wire else []
    flipped = [bytes(b ^ (dice.random() < 0.02) * dice.randrange(256) for b in wire) for _ in range(6)]
    noise = [dice.randbytes(n) for n in (1, 7, 100, 5000)]
    nested = [b"\x0a\x80\x01" * 300, b"\x0b" * 500, b"\xff" * 11, b"\x0a\xff\xff\xff\xff\x0f"]
    for data in (*cut, *flipped, *noise, *nested):
        answer = checked(world.over_grpc(method.name, data), data)
        watch.after(answer, data)


def test_what_is_too_large(world: World) -> None:
    """The limit is the transports': one RPC of each kind stands for all."""
    before = world.rows()
    # A field of number 20,000, which no message has: it would count for nothing were it not so large.
    large = b"\x82\xe2\x09" + b"\xe0\x80\x40" + bytes(LIMIT + 96)
    kinds = {(world.binding(n).verb, methods()[n].server_streams): n for n in reversed(RPCS)}
    assert len(kinds) >= 5
    for (verb, _), name in kinds.items():
        with pytest.raises(grpc.RpcError) as refused:
            world.raw(name, large)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        if verb != "GET":
            base = good(methods()[name], world.owner.id, world.owner.names)
            plain = json_format.MessageToDict(base, preserving_proto_field_name=True)
            answer = checked(world.asked(name, json.dumps(plain).encode() + b" " * LIMIT), plain)
            assert (answer.code, answer.http) == (TOO_LARGE, 413)
            assert "max_message_bytes" in answer.details
    assert changed(before, world.rows()) == {}


@pytest.mark.parametrize("said", [b"nonsense\r\n\r\n", b"\0\xff\r\n\r\n", b"GET /v2/\0 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_what_is_no_http(world: World, said: bytes) -> None:
    at = (world.http.host, world.http.port)
    with socket.create_connection(at, timeout=30) as sock, contextlib.closing(HTTPResponse(sock)) as reply:
        sock.sendall(said)
        reply.begin()
        assert reply.status == 400
        assert reply.headers["content-type"] == "application/json"
        assert reply.headers["connection"] == "close"
        assert json.loads(reply.read())["status"]["code"] == 11100


@pytest.mark.postgres
def test_what_postgresql_alone_refuses(postgres_server: str, tmp_path: Any, lines: Lines) -> None:
    """Texts with NUL, and numbers that a column can't hold."""
    with opened(_postgres_database(postgres_server), tmp_path) as world:
        before = world.of(world.victim, world.rows())
        for name in RPCS:
            method = methods()[name]
            if name == "DeleteApp":
                continue
            dice = dice_for(method)
            base = good(method, world.owner.id, world.owner.names)
            for request in (*mutants(base, dice, 16), flood(method.request(), dice)):
                wire = request.SerializeToString()
                if len(wire) <= LIMIT:
                    checked(world.over_grpc(name, wire), request)
        assert lines.bad == []
        assert world.of(world.victim, world.rows()) == before


ONE_BY_ONE = ("PostAnnotations", "PostInputs")
"""RPCs whose items succeed or fail one by one."""


@pytest.mark.postgres
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_a_text_with_nul_stops_no_neighbour(name: str, postgres_server: str, tmp_path: Any) -> None:
    with opened(_postgres_database(postgres_server), tmp_path) as world:
        base = good(methods()[name], world.owner.id, world.owner.names)
        (items,) = (f for f in base.DESCRIPTOR.fields if f.is_repeated and f.message_type)
        ways = [way for way in leaves(base.DESCRIPTOR) if way[0] is items and len(way) <= 3]
        ways = [way for way in ways if way[-1].type == FieldDescriptor.TYPE_STRING]
        assert len(ways) > 5
        for i, way in enumerate(ways):
            request = type(base)()
            request.CopyFrom(base)
            bad, fine = getattr(request, items.name)[0], getattr(request, items.name).add()
            fine.CopyFrom(bad)
            bad.id, fine.id = f"bad{i}", f"fine{i}"
            if way[-1].is_repeated:
                reached(request, way).ClearField(way[-1].name)
            put(reached(request, way), way[-1], "a\0b")
            reply = world.call(name, request)
            assert reply.status.code in (SUCCESS, MIXED), (request, reply)
            assert getattr(reply, items.name)[1].id == fine.id
