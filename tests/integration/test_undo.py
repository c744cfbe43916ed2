"""Undoing what people did to annotations through the API, alone and among verdicts, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data, Region
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.struct_pb2 import Struct
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import delete, select

from labelwright.annotator.undo import undo as undo_run
from labelwright.errors import AnnotationPermissionDenied
from labelwright.ids import new_id
from labelwright.protocol import review_queue, verdicts
from labelwright.protocol.dispatch import dispatch
from labelwright.protocol.methods import methods
from labelwright.store import tables as t
from tests.integration.some_machines import run_machine
from tests.integration.some_people import another, share
from tests.integration.some_reviews import (
    PENDING,
    SUCCESS,
    Reviewer,
    add_inputs,
    annotations_now,
    predicted,
    scanned,
    states,
    verdict,
    waiting,
)
from tests.integration.test_annotations import info_box, rejected
from tests.integration.test_verdicts import REVIEWER

Client = Any
"""The class of the fixture `client`."""

DENIED = 24158


def now(client: Client) -> tuple[Any, ...]:
    """Everything that an undo restores."""
    with client.server.store.read() as conn:
        said_no = [tuple(row) for row in conn.execute(select(t.rejections).order_by(t.rejections.c.pk))]
    return annotations_now(client), waiting(client), said_no


def patch(client: Client, id_: str, data: Data | None = None, action: str = "merge", **fields: Any) -> str:
    """Patch one annotation; returns the action."""
    more = {k: fields.pop(k) for k in ("delete_if_empty_data",) if k in fields}
    given = service_pb2.PatchAnnotationsRequest(
        action=action, annotations=[Annotation(id=id_, data=data or Data(), **fields)], **more
    )
    return str(client.call("PatchAnnotations", given).status.req_id)


def remove(client: Client, id_: str, input_id: str = "a") -> str:
    gone = client.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(annotation_id=id_, input_id=input_id))
    return str(gone.status.req_id)


def change_status(client: Client, code: int, *of: int) -> str:
    given = service_pb2.PatchAnnotationsStatusRequest(action="overwrite", status_codes=of, status_code=code)
    return str(client.call("PatchAnnotationsStatus", given).status.req_id)


def undo(me: Reviewer, action: str) -> dict[str, Any]:
    return me.call(verdicts.undo, action=action)


BOXES = Data(
    regions=[
        Region(id="r0", region_info=info_box(0, 0, 0.5, 0.5)),
        Region(id="r1", region_info=info_box(0.5, 0.5, 1, 1)),
    ]
)
DOG = Data(concepts=[Concept(id="dog")])
MOVED = Data(regions=[Region(id="r0", region_info=info_box(0.1, 0.2, 0.3, 0.4))])
INFO = Struct(fields={"k": {"string_value": "ü"}})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "change",
    [
        lambda client, id_: patch(client, id_, MOVED),
        lambda client, id_: patch(client, id_, Data(concepts=[Concept(id="cow", value=0.25)])),
        lambda client, id_: patch(client, id_, DOG, "remove"),
        lambda client, id_: patch(client, id_, Data(concepts=[Concept(id="cow", value=1)]), "overwrite"),
        lambda client, id_: patch(client, id_, status=status_pb2.Status(code=SUCCESS)),
        lambda client, id_: patch(client, id_, status=status_pb2.Status(code=DENIED)),
        lambda client, id_: patch(client, id_, task_id="t", annotation_info=INFO),
        lambda client, id_: remove(client, id_),
        lambda client, id_: change_status(client, SUCCESS, PENDING),
        lambda client, id_: change_status(client, DENIED, PENDING),
    ],
)
def test_a_models_annotation_is_the_models_again(client: Client, change: Callable[[Client, str], str]) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6, 1)], data=BOXES, annotation_info={"n": [1.5, None]})
    start = now(client)
    action = change(client, id_)
    assert now(client) != start
    me = Reviewer(client)
    reply = undo(me, action)
    assert (reply["kept"], reply["restored"]) == ([], 1)
    assert [i["item"] for i in reply["undone"]] == [f"{id_}.0", f"{id_}.1"]
    assert now(client) == start
    assert rejected(client) == []
    # What waits again is held by who undid it; an answer that was lost is asked for again.
    assert Reviewer(client, tab="other").call(review_queue.take)["items"] == []
    again = undo(me, action)
    assert [i["item"] for i in again["undone"]] == [f"{id_}.0", f"{id_}.1"]
    assert (again["kept"], again["restored"]) == ([], 0)
    assert now(client) == start


def test_a_patch_that_empties_and_deletes_is_undone(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7)])
    start = now(client)
    action = patch(client, id_, DOG, "remove", delete_if_empty_data=True)
    assert (annotations_now(client), len(rejected(client))) == ([], 1)
    assert undo(Reviewer(client), action)["restored"] == 1
    assert now(client) == start


def test_only_the_rejections_of_the_change_go(client: Client) -> None:
    add_inputs(client, "a")
    one, two = (predicted(client, "a", [("dog", 0.7)]) for _ in range(2))
    first, second = remove(client, one), remove(client, two)
    assert len(rejected(client)) == 2
    undo(Reviewer(client), second)
    assert len(rejected(client)) == 1
    undo(Reviewer(client), first)
    assert rejected(client) == []


def test_what_was_changed_since_is_kept(client: Client) -> None:
    add_inputs(client, "a")
    me, by = Reviewer(client), f"by {client.user_id!r}"
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    first = patch(client, id_, Data(concepts=[Concept(id="cow", value=1)]))
    second = patch(client, id_, Data(concepts=[Concept(id="owl", value=1)]))
    stands = now(client)
    assert undo(me, first)["kept"] == [{"item": id_, "why": f"it was changed since {by}"}]
    third = remove(client, id_)
    assert undo(me, second)["kept"] == [{"item": id_, "why": f"it was deleted since {by}"}]
    assert undo(me, third)["kept"] == []
    assert now(client) == stands
    # Under the id of one that was deleted there is another by now.
    gone = remove(client, id_)
    note = Annotation(id=id_, input_id="a", data=Data(concepts=[Concept(id="own", value=1)]))
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[note]))
    stands = now(client)
    assert undo(me, gone)["kept"] == [{"item": id_, "why": "it was changed since"}]
    assert now(client) == stands


def test_what_is_no_more_does_not_come_back(client: Client) -> None:
    add_inputs(client, "a")
    one, two = predicted(client, "a", [("dog", 0.7)]), predicted(client, "a", [("cat", 0.7)])
    actions = remove(client, one), remove(client, two)
    with client.server.store.write() as conn:
        conn.execute(delete(t.concepts).where(t.concepts.c.id == "dog"))
    with client.server.store.read() as conn:
        run = conn.execute(select(t.runs.c.id)).scalar_one()
    undo_run(client.server.store, run)
    me = Reviewer(client)
    kept = [undo(me, action)["kept"][0]["why"] for action in actions]
    assert kept == ["the concept 'dog' was deleted since", "the run that proposed it was taken back since"]
    assert annotations_now(client) == []


def test_many_are_undone_in_parts(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelwright.protocol.verdict_undo.AT_ONCE", 4)
    add_inputs(client, "a")
    for _ in range(10):
        predicted(client, "a", [("dog", 0.7)])
    start = now(client)
    action = change_status(client, SUCCESS, PENDING)
    reply = undo(Reviewer(client), action)
    assert (reply["restored"], reply["kept"], len(reply["undone"])) == (10, [], 4)
    assert now(client) == start


def test_only_ones_own_is_undone_save_by_the_owner(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7)])
    guest = another(client)
    share(client, guest, *REVIEWER)
    me, they = Reviewer(client), Reviewer(client, guest.token, "theirs")
    start = now(client)
    mine = remove(client, id_)
    with pytest.raises(AnnotationPermissionDenied):
        undo(they, mine)
    undo(me, mine)
    assert now(client) == start
    assert states(they.call(verdicts.decide, action="x", verdicts=[verdict(f"{id_}.0", "dog")])) == ["done"]
    decided = now(client)
    request = service_pb2.PatchAnnotationsRequest(action="merge", annotations=[Annotation(id=id_, task_id="theirs")])
    request.user_app_id.CopyFrom(client.user_app_id)
    reply: Any = dispatch(
        client.server, methods()["PatchAnnotations"], request, {"authorization": f"Key {guest.token}"}
    )
    assert now(client) != decided
    assert undo(me, reply.status.req_id)["restored"] == 1
    assert now(client) == decided


class Action(NamedTuple):
    """What somebody did."""

    who: int
    id: str
    verdicts: bool
    touched: frozenset[str]
    """The annotations that it made, changed or deleted."""
    before: Any
    """Everything as it was; None where that can't return, since something before it was undone."""


CONCEPTS = ["c0", "c1", "c2", "c3"]
PLACES = Data(
    concepts=[Concept(id=c) for c in CONCEPTS],
    regions=[Region(id=f"r{i}", data=Data(concepts=[Concept(id=c) for c in CONCEPTS])) for i in (0, 1)],
)
PATCHES: list[dict[str, Any]] = [
    {"action": "merge", "data": MOVED},
    {"action": "merge", "data": Data(concepts=[Concept(id="other", value=0.5)])},
    {"action": "remove", "data": Data(concepts=[Concept(id="c0"), Concept(id="c1")])},
    {"action": "remove", "data": PLACES, "delete": True},
    {"action": "overwrite", "data": Data(concepts=[Concept(id="c1", value=1), Concept(id="c0", value=0)])},
    {"action": "merge", "status": status_pb2.Status(code=SUCCESS)},
    {"action": "merge", "status": status_pb2.Status(code=PENDING)},
    {"action": "merge", "status": status_pb2.Status(code=DENIED), "annotation_info": INFO},
]
PICKS = st.lists(st.integers(0, 30), min_size=1, max_size=3)
WHO = st.integers(0, 1)


class Undoing(RuleBasedStateMachine):
    """Two people who decide, patch, delete and undo."""

    client: Client
    tokens: tuple[str, str]

    @initialize(shapes=st.lists(st.lists(st.integers(-1, 1), min_size=1, max_size=4), min_size=1, max_size=4))
    def begin(self, shapes: list[list[int]]) -> None:
        with self.client.server.store.write() as conn:
            for table in (t.annotations, t.history, t.rejections):
                conn.execute(delete(table))
        for slots in shapes:
            held = [(CONCEPTS[i], 0.1 * (i + 1), slot) for i, slot in enumerate(slots)]
            predicted(self.client, "a", held, data=BOXES)
        self.start = now(self.client)
        self.people = [Reviewer(self.client, token, f"tab{i}") for i, token in enumerate(self.tokens)]
        self.actions: list[Action] = []

    def ids(self) -> list[str]:
        with self.client.server.store.read() as conn:
            return list(conn.execute(select(t.annotations.c.id).order_by(t.annotations.c.pk)).scalars())

    def note(self, who: int, action: str, before: Any, also: set[str] | None = None) -> None:
        was, is_ = ({row[3]: row for row in rows} for rows in (before[0], now(self.client)[0]))
        touched = {id_ for id_ in was.keys() | is_.keys() if was.get(id_) != is_.get(id_)} | (also or set())
        if touched:
            self.actions.append(Action(who, action, also is not None, frozenset(touched), before))

    def ask(self, who: int, rpc: str, request: Any) -> None:
        before = now(self.client)
        request.user_app_id.CopyFrom(self.client.user_app_id)
        metadata = {"authorization": f"Key {self.tokens[who]}"}
        reply: Any = dispatch(self.client.server, methods()[rpc], request, metadata)
        # Somebody's own alone may be changed, and some patches would lead to what can't be.
        if reply.status.code == 10000:
            self.note(who, reply.status.req_id, before)
        else:
            assert now(self.client) == before

    @rule(who=WHO, picks=PICKS, what=st.sampled_from(["accept", "reject", "flag", "relabel"]))
    def decide(self, who: int, picks: list[int], what: str) -> None:
        before = now(self.client)
        names = {row[0]: row[3] for row in before[0]}
        with self.client.server.store.read() as conn:
            concept = {row.pk: row.id for row in conn.execute(select(t.concepts))}
        items = [(names[row[0]], row[1], concept[row[4]]) for row in before[1]]
        if not items:
            return
        chosen = {items[n % len(items)] for n in picks}
        given = [verdict(f"{i}.{p}", c, what, new_concept={"id": "new"}) for i, p, c in sorted(chosen)]
        action = new_id()
        assert states(self.people[who].call(verdicts.decide, action=action, verdicts=given)) == ["done"] * len(given)
        self.note(who, action, before, {i for i, _, _ in chosen})

    @rule(who=WHO, picks=PICKS, which=st.sampled_from(PATCHES))
    def patch(self, who: int, picks: list[int], which: dict[str, Any]) -> None:
        if ids := self.ids():
            fields = {k: v for k, v in which.items() if k not in ("action", "delete")}
            given = [Annotation(id=id_, **fields) for id_ in {ids[n % len(ids)] for n in picks}]
            request = service_pb2.PatchAnnotationsRequest(action=which["action"], annotations=given)
            request.delete_if_empty_data = which.get("delete", False)
            self.ask(who, "PatchAnnotations", request)

    @rule(who=WHO, picks=PICKS)
    def delete(self, who: int, picks: list[int]) -> None:
        if ids := self.ids():
            chosen = sorted({ids[n % len(ids)] for n in picks})
            request = service_pb2.DeleteAnnotationsRequest(ids=chosen, input_ids=["a"] * len(chosen))
            self.ask(who, "DeleteAnnotations", request)

    @rule(who=WHO, code=st.sampled_from([PENDING, SUCCESS, DENIED]))
    def change_status(self, who: int, code: int) -> None:
        request = service_pb2.PatchAnnotationsStatusRequest(action="overwrite", user_ids=["me"], status_code=code)
        self.ask(who, "PatchAnnotationsStatus", request)

    @precondition(lambda self: self.actions)
    @rule()
    def undo_the_last(self) -> None:
        action = self.actions.pop()
        reply = self.people[action.who].call(verdicts.undo, action=action.id)
        assert reply["kept"] == []
        if action.before is not None:
            assert now(self.client) == action.before

    @precondition(lambda self: len(self.actions) > 1)
    @rule(n=st.integers(0, 30))
    def undo_another(self, n: int) -> None:
        n %= len(self.actions) - 1
        action, later = self.actions[n], self.actions[n + 1 :]
        since = frozenset[str]().union(*(a.touched for a in later))
        before = now(self.client)
        if not action.touched & since:
            assert undo(self.people[action.who], action.id)["kept"] == []
            self.actions[n:] = [a._replace(before=None) for a in later]
        elif not action.verdicts and action.touched <= since:
            reply = undo(self.people[action.who], action.id)
            assert {k["item"] for k in reply["kept"]} == set(action.touched)
            assert reply["restored"] == 0
            assert now(self.client) == before

    @invariant()
    def what_waits_is_what_a_scan_finds(self) -> None:
        if hasattr(self, "start"):
            assert waiting(self.client) == scanned(self.client)

    def teardown(self) -> None:
        if hasattr(self, "start"):
            while self.actions:
                self.undo_the_last()
            assert now(self.client) == self.start


def test_undoing_everything_restores_everything(client: Client) -> None:
    add_inputs(client, "a")
    guest = another(client)
    share(client, guest, *REVIEWER)

    run_machine(Undoing, client, (client.token, guest.token), examples=30, steps=14)
