"""Verdicts and their undoing, on both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data, Frame, FrameInfo, Region, UserAppIDSet
from clarifai_grpc.grpc.api.status import status_pb2
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import delete, select, update

from labelwright.annotator.commit import standing
from labelwright.annotator.undo import undo as undo_run
from labelwright.errors import (
    AnnotationPermissionDenied,
    DoesNotExist,
    InsufficientScopes,
    InvalidRequest,
    LabelwrightError,
)
from labelwright.ids import new_id
from labelwright.protocol import review_queue, verdicts
from labelwright.store import tables as t
from tests.integration.some_machines import run_machine
from tests.integration.some_people import another, owner_of, share
from tests.integration.some_reviews import (
    FLAGGED,
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
from tests.integration.test_annotations import info_box

Client = Any
"""The class of the fixture `client`."""


def get(client: Client, id_: str) -> Annotation:
    reply = client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(ids=[id_]))
    assert len(reply.annotations) == 1, id_
    found: Annotation = reply.annotations[0]
    return found


def there(client: Client, id_: str) -> bool:
    return bool(client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(ids=[id_])).annotations)


def said(data: Data) -> dict[str, Any]:
    return {c.id: pytest.approx(c.value) for c in data.concepts}


def row_of(client: Client, id_: str) -> Any:
    with client.server.store.read() as conn:
        return conn.execute(select(t.annotations).where(t.annotations.c.id == id_)).one()


def decide(me: Reviewer, *given: dict[str, Any], action: str = "") -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = me.call(verdicts.decide, action=action or new_id(), verdicts=list(given))["results"]
    return results


def one(me: Reviewer, *args: Any, **more: Any) -> dict[str, Any]:
    (result,) = decide(me, verdict(*args, **more))
    return result


REVIEWER = (
    "Annotations_Add",
    "Annotations_Get",
    "Apps_Get",
    "Concepts_Get",
    "Inputs_Get",
    "Models_Get",
    "Workflows_Get",
)
"""The scopes that PatchAnnotations needs."""

FRAMES = Data(
    regions=[
        Region(id="r0", region_info=info_box(0, 0, 0.5, 0.5)),
        Region(id="r1", region_info=info_box(0.5, 0.5, 1, 1)),
    ],
    frames=[
        Frame(
            id="f",
            frame_info=FrameInfo(index=3, time=120),
            data=Data(regions=[Region(id="fr", region_info=info_box(0, 0, 1, 0.5))]),
        )
    ],
)
"""Places of all kinds; their slots are 0 and 1 (regions), 2 (the frame) and 3 (its region)."""


def test_the_only_concept_is_decided_in_its_annotation(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7)])
    me = Reviewer(client)
    result = one(me, f"{id_}.0", "dog")
    assert result == {"item": f"{id_}.0", "state": "done", "annotation_id": id_}
    made = get(client, id_)
    assert made.status.code == SUCCESS
    assert said(made.data) == {"dog": 1.0}
    assert made.model_version_id == "version"
    row = row_of(client, id_)
    assert (row.origin, row.touched, row.workflow_version_id) == (t.CONFIRMED, True, "workflow-version")
    with client.server.store.read() as conn:
        assert conn.execute(select(t.annotation_concepts.c.score)).scalars().all() == [0.7]
    assert waiting(client) == scanned(client) == []


@pytest.mark.parametrize(
    ("what", "status", "values"),
    [
        ("accept", SUCCESS, {"dog": 1.0}),
        ("reject", SUCCESS, {"dog": 0.0}),
        ("flag", FLAGGED, {"dog": 0.7}),
        ("relabel", SUCCESS, {"dog": 0.0, "wolf": 1.0}),
    ],
)
def test_a_concept_moves_into_an_annotation_of_its_own(
    client: Client, what: str, status: int, values: dict[str, float]
) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    more = {"new_concept": {"id": "wolf"}} if what == "relabel" else {}
    result = one(Reviewer(client), f"{id_}.0", "dog", what, **more)
    assert result["state"] == "done"
    made = get(client, result["annotation_id"])
    assert made.id != id_
    assert (made.status.code, made.user_id, made.input_id) == (status, client.user_id, "a")
    assert said(made.data) == {k: pytest.approx(v) for k, v in values.items()}
    rest = get(client, id_)
    assert rest.status.code == PENDING
    assert said(rest.data) == {"cat": pytest.approx(0.6)}
    assert not row_of(client, id_).touched
    assert waiting(client) == scanned(client)
    assert len(waiting(client)) == (2 if what == "flag" else 1)


def test_only_the_place_is_copied(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(
        client, "a", [("whole", 0.5), ("left", 0.5, 0), ("right", 0.5, 1), ("f", 0.5, 2), ("fr", 0.5, 3)], data=FRAMES
    )
    me = Reviewer(client)
    names = ["whole", "left", "right", "f", "fr"]
    made = [get(client, one(me, f"{id_}.{i}", name)["annotation_id"]).data for i, name in enumerate(names)]
    whole, left, right, frame, inner = made
    assert (said(whole), len(whole.regions), len(whole.frames)) == ({"whole": 1.0}, 0, 0)
    for data, name, region_id in ((left, "left", "r0"), (right, "right", "r1")):
        assert not data.concepts
        assert not data.frames
        (region,) = data.regions
        assert (region.id, said(region.data)) == (region_id, {name: 1.0})
        assert region.region_info == FRAMES.regions[int(region_id[1])].region_info
    assert not frame.regions
    assert said(frame.frames[0].data) == {"f": 1.0}
    assert not frame.frames[0].data.regions
    assert frame.frames[0].frame_info.time == 120
    (region,) = inner.frames[0].data.regions
    assert not inner.frames[0].data.concepts
    assert (region.id, said(region.data)) == ("fr", {"fr": 1.0})
    assert not there(client, id_)
    assert waiting(client) == scanned(client) == []


def test_what_people_decided_is_theirs_to_runs(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    one(Reviewer(client), f"{id_}.0", "dog", "reject")
    with client.server.store.read() as conn:
        pk = conn.execute(select(t.inputs.c.pk).where(t.inputs.c.id == "a")).scalar_one()
        words, automatic = standing(conn, [pk])
    assert [w.concept_id for w in words[pk]] == ["dog"]
    assert [row.id for row in automatic] == [id_]


def test_an_action_sent_again_is_done_once(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    me = Reviewer(client)
    first = decide(me, verdict(f"{id_}.0", "dog"), action="x")
    again = decide(me, verdict(f"{id_}.0", "dog"), verdict(f"{id_}.1", "cat"), action="x")
    assert [r["state"] for r in again] == ["again", "done"]
    assert again[0]["annotation_id"] == first[0]["annotation_id"]
    me.call(verdicts.undo, action="x")
    # Late, out of an outbox: it is not done a second time.
    assert states({"results": decide(me, verdict(f"{id_}.0", "dog"), action="x")}) == ["again"]
    assert len(waiting(client)) == 2


def test_the_same_action_at_once_is_done_once(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    results: list[str] = []

    def send() -> None:
        results.extend(r["state"] for r in decide(Reviewer(client), verdict(f"{id_}.0", "dog"), action="x"))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["again"] * 5 + ["done"]
    with client.server.store.read() as conn:
        assert len(conn.execute(select(t.history)).all()) == 1


def test_who_comes_second_is_told_who_came_first(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    guest = another(client)
    share(client, guest, *REVIEWER)
    me, they = Reviewer(client), Reviewer(client, guest.token, "theirs")
    done = one(they, f"{id_}.0", "dog")
    assert done["state"] == "done"
    assert get(client, done["annotation_id"]).user_id == guest.user_id
    assert one(me, f"{id_}.0", "dog", "reject") == {
        "item": f"{id_}.0",
        "state": "gone",
        "by": guest.user_id,
        "annotation_id": done["annotation_id"],
    }
    # What stands there by now is another concept.
    assert one(me, f"{id_}.1", "dog")["state"] == "gone"


def test_one_bad_verdict_stops_no_other(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6), ("cow", 0.6), ("owl", 0.6)])
    results = decide(
        Reviewer(client),
        verdict("nonsense", "dog"),
        verdict(f"{id_}.0", "dog", "perhaps"),
        verdict(f"{id_}.1", "cat", "relabel"),
        verdict(f"{id_}.1", "cat", "relabel", new_concept={"id": "cat"}),
        verdict(f"{id_}.1", "cat", "relabel", new_concept={"name": "a\x00b"}),
        verdict(f"{id_}.9", "cat"),
        verdict(f"{id_}.2", "cow"),
        {"item": f"{id_}.3"},
    )
    assert [r["state"] for r in results] == ["gone"] * 6 + ["done", "gone"]
    assert ["error" in r for r in results] == [True] * 5 + [False, False, True]
    assert waiting(client) == scanned(client)
    assert len(waiting(client)) == 3


@pytest.mark.parametrize(
    "given",
    [
        {"verdicts": []},
        {"verdicts": "x"},
        {"verdicts": [1]},
        {"verdicts": [{}]},
        {"verdicts": [{"item": 3}]},
        {"verdicts": [{"item": "a.0"}] * 501},
        {"action": "", "verdicts": [{"item": "a.0"}]},
        {"action": "x" * 65, "verdicts": [{"item": "a.0"}]},
        {"action": ["x", "y"], "verdicts": [{"item": "a.0"}]},
        {"tab": None, "verdicts": [{"item": "a.0"}]},
    ],
)
def test_what_is_no_action_is_refused(client: Client, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Reviewer(client).call(verdicts.decide, **{"action": "x", **given})


def test_relabelling_by_name(client: Client) -> None:
    add_inputs(client, "a")
    concepts = [Concept(id="w1", name="Grey Wolf"), Concept(id="wolf", name="wolf")]
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))
    id_ = predicted(client, "a", [(f"c{i}", 0.5) for i in range(4)])
    me = Reviewer(client)
    found = []
    for i, name in enumerate(["grey wolf", "wolf", "<b>Ünïcode</b>", " spaced "]):
        result = one(me, f"{id_}.{i}", f"c{i}", "relabel", new_concept={"name": name})
        found.append([c.id for c in get(client, result["annotation_id"]).data.concepts])
    assert found == [["c0", "w1"], ["c1", "wolf"], ["c2", "<b>Ünïcode</b>"], ["c3", "spaced"]]


def test_flagged_ones_are_decided_later(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    start = annotations_now(client)
    me = Reviewer(client)
    flagged = one(me, f"{id_}.0", "dog", "flag")["annotation_id"]
    (item,) = me.call(review_queue.take, status="flagged")["items"]
    assert (item["item"], item["status"], item["score"]) == (f"{flagged}.0", "flagged", pytest.approx(0.7))
    assert one(me, item["item"], "dog")["annotation_id"] == flagged
    assert get(client, flagged).status.code == SUCCESS
    me.call(verdicts.undo)
    assert get(client, flagged).status.code == FLAGGED
    me.call(verdicts.undo)
    assert annotations_now(client) == start
    assert me.call(verdicts.undo) == {"action": None, "undone": [], "kept": [], "restored": 0}


def test_flagging_what_is_flagged(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    start = annotations_now(client)
    me = Reviewer(client)
    flagged = decide(me, verdict(f"{id_}.0", "dog", "flag"), action="1")[0]["annotation_id"]
    assert decide(me, verdict(f"{flagged}.0", "dog", "flag"), action="2")[0]["annotation_id"] == flagged
    # The second word stands, though it changed nothing: the first can't be taken back from below it.
    assert "changed since" in me.call(verdicts.undo, action="1")["kept"][0]["why"]
    assert me.call(verdicts.undo, action="2")["kept"] == []
    assert me.call(verdicts.undo, action="1")["kept"] == []
    assert annotations_now(client) == start


def test_undo_puts_back_what_became_empty(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7, 0), ("cat", 0.6, 1), ("cow", 0.5, 3)], data=FRAMES)
    start = annotations_now(client), waiting(client)
    me = Reviewer(client)
    for i, name in enumerate(["dog", "cat", "cow"]):
        one(me, f"{id_}.{i}", name)
    assert not there(client, id_)
    for item, left in ((2, 1), (1, 2), (0, 3)):
        reply = me.call(verdicts.undo)
        assert ([i["item"] for i in reply["undone"]], reply["kept"]) == ([f"{id_}.{item}"], [])
        assert reply["undone"][0]["input"]["id"] == "a"
        assert len(waiting(client)) == left
    assert (annotations_now(client), waiting(client)) == start


def test_undone_items_are_held_by_the_tab(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    me, they = Reviewer(client), Reviewer(client, tab="other")
    decide(me, verdict(f"{id_}.0", "dog"), verdict(f"{id_}.1", "cat"), action="x")
    assert len(me.call(verdicts.undo, action="x")["undone"]) == 2
    assert they.call(review_queue.take, mode="grid", n=9)["items"] == []
    # A reply that was lost is asked for again.
    again = me.call(verdicts.undo, action="x")
    assert {i["item"] for i in again["undone"]} == {f"{id_}.0", f"{id_}.1"}


def test_undo_keeps_what_was_changed_since(client: Client) -> None:
    add_inputs(client, "a", "b", "c", "d")
    ids = [predicted(client, i, [("dog", 0.7), ("cat", 0.6)]) for i in ("a", "b")]
    lone = predicted(client, "c", [("dog", 0.7)])
    me = Reviewer(client)
    made = [r["annotation_id"] for r in decide(me, *(verdict(f"{i}.0", "dog") for i in (*ids, lone)), action="x")]
    patch = Annotation(id=made[0], data=Data(concepts=[Concept(id="cow", value=1)]))
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    client.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(annotation_id=lone, input_id="c"))
    reply = me.call(verdicts.undo)
    assert [i["item"] for i in reply["undone"]] == [f"{ids[1]}.0"]
    assert [k["item"] for k in reply["kept"]] == [f"{ids[0]}.0", f"{lone}.0"]
    assert [k["why"] for k in reply["kept"]] == [
        f"it was {what} since by {client.user_id!r}" for what in ("changed", "deleted")
    ]
    assert said(get(client, made[0]).data) == {"dog": 1.0, "cow": 1.0}
    # What can't be undone does not stand before what can.
    assert me.call(verdicts.undo)["action"] is None


def test_undo_beside_a_changed_annotation(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7, 0), ("cat", 0.6, 1)], data=FRAMES)
    me = Reviewer(client)
    one(me, f"{id_}.0", "dog")
    with client.server.store.write() as conn:
        conn.execute(update(t.annotations).where(t.annotations.c.id == id_).values(status_code=SUCCESS))
        conn.execute(delete(t.review_items))
    (item,) = me.call(verdicts.undo)["undone"]
    # Not into what is a success by now: it waits in an annotation of its own, in the same place.
    assert item["annotation_id"] != id_
    assert item["place"]["region_id"] == "r0"
    assert waiting(client) == scanned(client)
    assert len(waiting(client)) == 1


def test_undo_where_positions_moved(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    me = Reviewer(client)
    one(me, f"{id_}.0", "dog")
    patch = Annotation(id=id_, data=Data(concepts=[Concept(id="cow", value=0.5)]))
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    (item,) = me.call(verdicts.undo)["undone"]
    assert (item["annotation_id"], item["concept"]["id"]) == (id_, "dog")
    assert said(get(client, id_).data) == {"cat": pytest.approx(0.6), "cow": 0.5, "dog": pytest.approx(0.7)}
    assert one(me, item["item"], "dog")["state"] == "done"
    assert waiting(client) == scanned(client)


def test_undo_after_the_run_was_taken_back(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    me = Reviewer(client)
    made = one(me, f"{id_}.0", "dog")["annotation_id"]
    with client.server.store.read() as conn:
        run = conn.execute(select(t.runs.c.id)).scalar_one()
    undo_run(client.server.store, run)
    assert not there(client, id_)
    reply = me.call(verdicts.undo)
    assert reply["undone"] == []
    assert "run" in reply["kept"][0]["why"]
    assert there(client, made)


def test_undo_after_a_concept_was_deleted(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    me = Reviewer(client)
    one(me, f"{id_}.0", "dog", "relabel", new_concept={"id": "wolf"})
    with client.server.store.write() as conn:
        conn.execute(delete(t.concepts).where(t.concepts.c.id == "dog"))
    assert len(me.call(verdicts.undo)["kept"]) == 1
    assert waiting(client) == scanned(client)


def test_only_ones_own_is_undone_save_by_the_owner(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    guest = another(client)
    share(client, guest, *REVIEWER)
    me, they = Reviewer(client), Reviewer(client, guest.token, "theirs")
    decide(me, verdict(f"{id_}.0", "dog"), action="mine")
    decide(they, verdict(f"{id_}.1", "cat"), action="theirs")
    with pytest.raises(AnnotationPermissionDenied):
        they.call(verdicts.undo, action="mine")
    with pytest.raises(InvalidRequest, match="another user's"):
        decide(they, verdict(f"{id_}.1", "cat"), action="mine")
    with pytest.raises(DoesNotExist):
        they.call(verdicts.undo, action="nobody's")
    assert they.call(verdicts.undo)["action"] == "theirs"
    decide(they, verdict(f"{id_}.1", "cat"), action="theirs2")
    assert len(me.call(verdicts.undo, action="theirs2")["undone"]) == 1
    assert me.call(verdicts.undo)["action"] == "mine"


def test_walls(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7)])
    stranger, reader = another(client), another(client, "reader")
    share(client, reader, "Annotations_Get", "Apps_Get", "Inputs_Get", "Concepts_Get")
    for token, error in ((stranger.token, DoesNotExist), (reader.token, InsufficientScopes)):
        they = Reviewer(client, token)
        for work in (
            lambda they=they: decide(they, verdict(f"{id_}.0", "dog")),
            lambda they=they: they.call(verdicts.undo),
            lambda they=they: they.call(review_queue.take),
            lambda they=they: they.call(review_queue.hold, items=[f"{id_}.0"]),
            lambda they=they: they.call(review_queue.release),
        ):
            with pytest.raises(error):
                work()
    # In an app of their own, another's items are gone.
    empty = service_pb2.PostAppsRequest(user_app_id=UserAppIDSet(user_id=stranger.user_id))
    empty.apps.add(id="app")
    stranger.call("PostApps", empty)
    own = Reviewer(client, stranger.token, where=UserAppIDSet(user_id=stranger.user_id, app_id="app"))
    assert one(own, f"{id_}.0", "dog") == {"item": f"{id_}.0", "state": "gone"}
    assert own.call(review_queue.hold, items=[f"{id_}.0"]) == {"held": [], "lost": [f"{id_}.0"]}
    bound = owner_of(client).bound()
    assert one(Reviewer(client, bound.token, where=UserAppIDSet()), f"{id_}.0", "dog")["state"] == "done"


def test_a_persons_own_pending_annotation(client: Client) -> None:
    add_inputs(client, "a")
    given = Annotation(
        input_id="a", data=Data(concepts=[Concept(id="dog", value=0.4)]), status=status_pb2.Status(code=PENDING)
    )
    reply = client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[given]))
    id_ = reply.annotations[0].id
    assert waiting(client) == scanned(client)
    assert len(waiting(client)) == 1
    start = annotations_now(client)
    me = Reviewer(client)
    assert one(me, f"{id_}.0", "dog")["state"] == "done"
    assert row_of(client, id_).origin == t.PERSON
    me.call(verdicts.undo)
    assert annotations_now(client) == start


CONCEPTS = ["c0", "c1", "c2", "c3"]


class Reviewing(RuleBasedStateMachine):
    """Two people who decide and undo in whatever order, over annotations with concepts in several places."""

    client: Client
    tokens: tuple[str, str]

    @initialize(shapes=st.lists(st.lists(st.integers(-1, 3), min_size=1, max_size=4), min_size=1, max_size=3))
    def begin(self, shapes: list[list[int]]) -> None:
        with self.client.server.store.write() as conn:
            for table in (t.annotations, t.history):
                conn.execute(delete(table))
        for slots in shapes:
            held = [(CONCEPTS[i], 0.1 * (i + 1), slot) for i, slot in enumerate(slots)]
            predicted(self.client, "a", held, data=FRAMES)
        self.start = annotations_now(self.client), waiting(self.client)
        self.people = [Reviewer(self.client, token, f"tab{i}") for i, token in enumerate(self.tokens)]
        self.actions: list[tuple[int, str]] = []

    def items(self) -> list[tuple[str, str]]:
        with self.client.server.store.read() as conn:
            query = (
                select(t.annotations.c.id, t.review_items.c.position, t.concepts.c.id)
                .join_from(t.review_items, t.annotations, t.annotations.c.pk == t.review_items.c.annotation)
                .join(t.concepts, t.concepts.c.pk == t.review_items.c.concept)
                .order_by(t.annotations.c.pk, t.review_items.c.position)
            )
            return [(f"{a}.{p}", c) for a, p, c in conn.execute(query)]

    @rule(
        who=st.integers(0, 1),
        picks=st.lists(
            st.tuples(st.integers(0, 30), st.sampled_from(["accept", "reject", "flag", "relabel"])),
            min_size=1,
            max_size=3,
        ),
    )
    def decide(self, who: int, picks: list[tuple[int, str]]) -> None:
        items = self.items()
        if not items:
            return
        chosen = {items[n % len(items)]: what for n, what in picks}
        given = [verdict(i, c, what, new_concept={"id": "other"}) for (i, c), what in chosen.items()]
        action = new_id()
        assert states(self.people[who].call(verdicts.decide, action=action, verdicts=given)) == ["done"] * len(given)
        self.actions.append((who, action))

    @precondition(lambda self: self.actions)
    @rule(n=st.integers(0, 30))
    def undo(self, n: int) -> None:
        who, action = self.actions[n % len(self.actions)]
        reply = self.people[who].call(verdicts.undo, action=action)
        if not reply["kept"]:
            self.actions.remove((who, action))

    @invariant()
    def what_waits_is_what_a_scan_finds(self) -> None:
        if hasattr(self, "start"):
            assert waiting(self.client) == scanned(self.client)

    def teardown(self) -> None:
        if not hasattr(self, "start"):
            return
        # A flag that was decided upon can be undone only after that decision: the last one first.
        for who, action in reversed(self.actions):
            reply = self.people[who].call(verdicts.undo, action=action)
            assert reply["kept"] == []
        assert waiting(self.client) == scanned(self.client)
        assert (annotations_now(self.client), waiting(self.client)) == self.start


def test_undoing_everything_restores_everything(client: Client) -> None:
    add_inputs(client, "a")
    guest = another(client)
    share(client, guest, *REVIEWER)

    run_machine(Reviewing, client, (client.token, guest.token), examples=25, steps=12)


def test_two_people_decide_the_same_at_once(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [(f"c{i}", 0.5) for i in range(8)])
    found: list[list[str]] = []
    errors: list[LabelwrightError] = []

    def work(tab: str) -> None:
        me = Reviewer(client, tab=tab)
        try:
            found.append([one(me, f"{id_}.{i}", f"c{i}")["state"] for i in range(8)])
        except LabelwrightError as e:
            errors.append(e)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [sorted(each) for each in zip(*found, strict=True)] == [["done", "gone", "gone"]] * 8
    assert waiting(client) == scanned(client) == []
