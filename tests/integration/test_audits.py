"""Audits of auto-labels, on both databases: drawing, blind answers, corrections, the live estimate, alarms, undo."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data, Region
from sqlalchemy import select, update

from labelwright import metrics
from labelwright.annotator.undo import undo as undo_run
from labelwright.errors import DoesNotExist, InsufficientScopes, InvalidRequest
from labelwright.ids import new_id
from labelwright.protocol import audit_answers, audit_estimates, audits, verdicts
from labelwright.store import apps, draws, runs, tunings
from labelwright.store import audits as stored
from labelwright.store import tables as t
from tests.integration.some_people import another, share
from tests.integration.some_reviews import PENDING, SUCCESS, Reviewer, add_inputs, annotations_now, predicted
from tests.integration.test_annotations import info_box

Client = Any
"""The class of the fixture `client`."""

SECRET = 0.87654
"""A score that nobody may see before they have answered."""


def labelled(client: Client, n: int, concept: str = "dog", score: float = SECRET, prefix: str = "in") -> list[str]:
    """Inputs with an auto-label each; the annotations' ids."""
    names = [f"{prefix}{i}" for i in range(n)]
    add_inputs(client, *names)
    return [predicted(client, name, [(concept, score)], status=SUCCESS) for name in names]


def app_of(client: Client) -> Any:
    with client.server.store.read() as conn:
        return apps.get(conn, client.user_id, "app")


def draw(client: Client, **given: Any) -> stored.Drawn:
    return audits.draw_audit(client.server.store, app_of(client), user_id=client.user_id, **given)


def drawn(client: Client) -> list[Any]:
    with client.server.store.read() as conn:
        return draws.drawn(conn, app_of(client).pk)


def take(me: Reviewer, n: int = 1, **given: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = me.call(audits.take, n=n, **given)["items"]
    return items


def answer(me: Reviewer, *given: tuple[str, str] | dict[str, Any], action: str = "") -> list[dict[str, Any]]:
    wanted = [g if isinstance(g, dict) else {"item": g[0], "verdict": g[1]} for g in given]
    results: list[dict[str, Any]] = me.call(audit_answers.answer, action=action or new_id(), verdicts=wanted)["results"]
    return results


def answer_all(me: Reviewer, said: Sequence[str]) -> None:
    """Answer as many waiting items, in the order of chance."""
    items = take(me, len(said))
    results = answer(me, *((i["item"], one) for i, one in zip(items, said, strict=True)))
    assert [r["state"] for r in results] == ["done"] * len(said)


def status(me: Reviewer) -> dict[str, Any]:
    return me.call(audits.status, "ListAnnotations")


def promise(client: Client, error: float = 0.05, *, joint: bool = False, threshold: float = 0.5, **more: Any) -> Any:
    """Let the model version have been tuned to a target."""
    target = {"error": error, "confidence": 0.95, "joint": joint}
    limits = [{"concept": None if joint else concept, "threshold": threshold} for concept in ("dog", "cat")]
    with client.server.store.write() as conn:
        return tunings.add(
            conn,
            app_of(client).pk,
            model_version_id="version",
            params={"by": "data", **target},
            result={"target": target, "limits": limits[:1] if joint else limits},
            made={"workflow": {}},
            user_id=client.user_id,
            **more,
        )


def row_of(client: Client, id_: str) -> Any:
    with client.server.store.read() as conn:
        return conn.execute(select(t.annotations).where(t.annotations.c.id == id_)).first()


def labels_of(client: Client, input_id: str) -> list[tuple[str, float]]:
    """What the API says of an input: success annotations alone."""
    reply = client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(input_ids=[input_id], per_page=100))
    found = [a for a in reply.annotations if a.status.code == SUCCESS]
    return sorted((c.id, round(c.value, 5)) for a in found for c in a.data.concepts)


# --- drawing --------------------------------------------------------------------------------------


def test_a_draw_is_a_random_share_and_none_is_drawn_twice(client: Client) -> None:
    ids = labelled(client, 50)
    first = draw(client, rate=0.1)
    assert (first.drawn, first.of) == (5, 50)
    second = draw(client, rate=0.5)
    assert (second.drawn, second.of) == (23, 45)
    third = draw(client, rate=1.0)
    assert (third.drawn, third.of) == (22, 22)
    assert draw(client, rate=1.0) == ("", 0, 0)
    items = drawn(client)
    assert sorted(i.annotation_id for i in items) == sorted(ids)
    assert {i.chance for i in items[:5]} == {0.1}
    assert all((i.concept_id, i.model_version_id, i.score) == ("dog", "version", SECRET) for i in items)
    # They stay labels while they wait.
    assert all(row_of(client, id_).status_code == SUCCESS for id_ in ids)
    # Of what is written later, more is drawn.
    labelled(client, 3, prefix="later")
    assert draw(client, n=2).of == 3
    with client.server.store.read() as conn:
        assert [(a["drawn"], a["of"]) for a in audits.listing(conn, app_of(client).pk)] == [
            *((2, 3), (22, 22), (23, 45), (5, 50))
        ]


def test_chance_prefers_nobody(client: Client) -> None:
    ids = labelled(client, 20)
    with client.server.store.read() as conn:
        app = app_of(client).pk
        chosen = Counter(
            pk
            for seed in range(400)
            for pk, _ in stored.choose(conn, app, rate=0.25, n=None, versions=None, seed=seed)[0]
        )
        pks = {row_of(client, id_).pk for id_ in ids}
    assert chosen.keys() == pks
    # 100 each is expected, with a standard deviation of 8.7.
    assert all(60 < n < 140 for n in chosen.values())


def test_each_concept_is_a_unit_and_only_a_models_untouched_labels_are_drawn(client: Client) -> None:
    add_inputs(client, "a", "b", "c", "d")
    both = predicted(client, "a", [("dog", 0.9), ("cat", 0.8)], status=SUCCESS)
    predicted(client, "b", [("dog", 0.4)], status=PENDING)
    touched = predicted(client, "c", [("dog", 0.9)], status=SUCCESS)
    with client.server.store.write() as conn:
        conn.execute(update(t.annotations).where(t.annotations.c.id == touched).values(touched=True))
    said = Annotation(input_id="d", data=Data(concepts=[Concept(id="dog", value=1)]))
    said.status.code = SUCCESS
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[said]))
    assert draw(client, rate=1.0).drawn == 2
    assert {(i.annotation_id, i.position, i.concept_id) for i in drawn(client)} == {(both, 0, "dog"), (both, 1, "cat")}


def test_a_draw_from_one_model(client: Client) -> None:
    add_inputs(client, "a", "b")
    predicted(client, "a", [("dog", 0.9)], status=SUCCESS, model_version_id="one")
    predicted(client, "b", [("dog", 0.9)], status=SUCCESS, model_version_id="two")
    assert draw(client, rate=1.0, model="two").drawn == 1
    assert [i.model_version_id for i in drawn(client)] == ["two"]
    with pytest.raises(DoesNotExist, match="of a model 'three'"):
        draw(client, model="three")


@pytest.mark.parametrize("given", [{"rate": 0.0}, {"rate": 1.5}, {"n": 0}, {"n": 10**7}])
def test_a_draw_that_makes_no_sense(client: Client, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        draw(client, **given)
    with pytest.raises(InvalidRequest):
        Reviewer(client).call(audits.draw, **given)


def test_a_draw_from_the_page(client: Client) -> None:
    labelled(client, 30)
    reply = Reviewer(client).call(audits.draw, rate=0.1)
    assert (reply["drawn"], reply["of"]) == (3, 30)
    assert Reviewer(client).call(audits.draw, rate=1)["drawn"] == 27
    assert Reviewer(client).call(audits.draw) == {"draw": None, "drawn": 0, "of": 0}


# --- taking ---------------------------------------------------------------------------------------


def test_what_is_asked_tells_nothing_of_the_model(client: Client) -> None:
    add_inputs(client, "a")
    region = Region(id="r", region_info=info_box(0.1, 0.2, 0.5, 0.6))
    predicted(client, "a", [("dog", SECRET, 0)], status=SUCCESS, data=Data(regions=[region]))
    draw(client, rate=1.0)
    reply = Reviewer(client).call(audits.take, n=5)
    (item,) = reply["items"]
    assert item["question"] == "is"
    assert item["concept"] == {"id": "dog", "name": "dog"}
    assert item["place"]["box"] == pytest.approx({"top": 0.1, "left": 0.2, "bottom": 0.5, "right": 0.6})
    assert item["input"]["id"] == "a"
    assert set(item) == {"item", "place", "input", "question", "concept"}
    told = json.dumps(reply)
    for word in (str(SECRET), "score", "version", "model", "annotation", "audit", str(SUCCESS)):
        assert word not in told
    assert reply["left"] == 1


def test_two_people_never_get_the_same(client: Client) -> None:
    labelled(client, 5)
    draw(client, rate=1.0)
    me, other = Reviewer(client, tab="one"), Reviewer(client, tab="two")
    mine = {i["item"] for i in take(me, 2)}
    theirs = {i["item"] for i in take(other, 9)}
    assert (len(mine), len(theirs), mine & theirs) == (2, 3, set())
    assert take(Reviewer(client, tab="three"), 9) == []
    # What a tab holds it is given again, unless it says that it has it.
    assert {i["item"] for i in take(me, 9)} == mine
    assert take(me, 9, exclude=sorted(mine)) == []
    assert me.call(audits.hold, items=sorted(mine | theirs)) == {"held": sorted(mine), "lost": sorted(theirs)}
    assert status(me)["held"] == 3
    assert other.call(audits.release) == {"released": 3}
    assert {i["item"] for i in take(me, 9)} == mine | theirs
    # A lease that is over is nobody's.
    with client.server.store.write() as conn:
        conn.execute(update(t.drawn_items).values(held_until=1))
    assert len(take(other, 9)) == 5


def test_items_come_in_the_order_of_chance(client: Client) -> None:
    labelled(client, 8)
    draw(client, rate=1.0)
    assert [i["item"] for i in take(Reviewer(client), 8)] == [str(i.pk) for i in drawn(client)]


# --- answering ------------------------------------------------------------------------------------


def test_a_right_label_is_confirmed_and_a_wrong_one_denied(client: Client) -> None:
    right, wrong, other, unsure = labelled(client, 4)
    draw(client, rate=1.0)
    me = Reviewer(client)
    take(me, 4)
    of = {i.annotation_id: str(i.pk) for i in drawn(client)}
    relabel = {"item": of[other], "verdict": "no", "new_concept": {"name": "Wolf"}}
    results = answer(me, (of[right], "yes"), (of[wrong], "no"), relabel, (of[unsure], "unsure"))
    assert [r["state"] for r in results] == ["done"] * 4
    assert [r["right"] for r in results] == [True, False, False, None]
    # Now it may be told.
    assert {r["score"] for r in results} == {SECRET}
    assert labels_of(client, "in0") == [("dog", 1.0)]
    assert labels_of(client, "in1") == [("dog", 0.0)]
    assert labels_of(client, "in2") == [("Wolf", 1.0), ("dog", 0.0)]
    assert labels_of(client, "in3") == [("dog", SECRET)]
    assert [row_of(client, i).origin for i in (right, wrong, other, unsure)] == [*[t.CONFIRMED] * 3, t.MODEL]
    assert {row_of(client, i).touched for i in (right, wrong, other)} == {True}
    with client.server.store.read() as conn:
        kinds = dict(conn.execute(select(t.history.c.annotation_id, t.history.c.kind)).all())
        told = {i.annotation_id: i.answer for i in draws.answers(conn, app_of(client).pk)}
    assert kinds == {right: "accept", wrong: "reject", other: "relabel"}
    assert told == {right: draws.RIGHT, wrong: draws.WRONG, other: draws.WRONG, unsure: draws.UNTOLD}
    assert take(me, 4) == []


def test_one_of_several_concepts_is_decided_by_itself(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.9), ("cat", 0.8)], status=SUCCESS)
    before = annotations_now(client)
    draw(client, rate=1.0)
    me = Reviewer(client)
    of = {i["concept"]["id"]: i["item"] for i in take(me, 2)}
    # Both in one call, and both in one call again.
    action = new_id()
    results = answer(me, (of["dog"], "no"), (of["cat"], "yes"), action=action)
    assert [r["state"] for r in results] == ["done", "done"]
    assert labels_of(client, "a") == [("cat", 1.0), ("dog", 0.0)]
    assert [r["state"] for r in answer(me, (of["dog"], "no"), (of["cat"], "yes"), action=action)] == ["again"] * 2
    undone = me.call(audit_answers.undo, action=action)
    assert sorted(i["item"] for i in undone["undone"]) == sorted(of.values())
    assert annotations_now(client) == before
    assert row_of(client, id_).origin == t.MODEL


def test_an_answer_counts_once(client: Client) -> None:
    labelled(client, 2)
    draw(client, rate=1.0)
    me, other = Reviewer(client), Reviewer(client, tab="two")
    first, second = (i["item"] for i in take(me, 2))
    assert answer(me, (first, "yes"))[0]["state"] == "done"
    (late,) = answer(other, (first, "no"))
    assert (late["state"], late["by"]) == ("gone", client.user_id)
    assert answer(me, (first, "yes"), ("999999", "yes"), ("x", "yes"))[1:] == [
        {"item": "999999", "state": "gone"},
        {"item": "x", "state": "gone"},
    ]
    # One that is not legal stops none of the others.
    results = answer(
        me, (second, "which"), {"item": second}, {"item": second, "verdict": "no", "new_concept": {"id": "dog"}}
    )
    assert [r["state"] for r in results] == ["gone"] * 3
    assert all("error" in r for r in results)
    assert answer(me, (second, "unsure"))[0]["state"] == "done"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"action": "a"},
        {"action": "a", "verdicts": []},
        {"action": "a", "verdicts": [{}]},
        {"verdicts": [{"item": "1"}]},
    ],
)
def test_what_is_not_legal_is_refused(client: Client, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Reviewer(client).call(audit_answers.answer, **given)


def test_others_see_nothing(client: Client) -> None:
    labelled(client, 1)
    draw(client, rate=1.0)
    stranger = another(client)
    them = Reviewer(client, stranger.token)
    for function in (audits.take, audits.hold, audits.release, audits.status, audits.draw, audit_answers.undo):
        with pytest.raises(DoesNotExist):
            them.call(function)
    share(client, stranger, "Annotations_Get", "Apps_Get", "Concepts_Get", "Inputs_Get", "Models_Get")
    assert status(them)["left"] == 1
    with pytest.raises(InsufficientScopes):
        them.call(audits.take)


# --- what people say elsewhere --------------------------------------------------------------------


def test_a_label_that_a_person_deleted_was_wrong(client: Client) -> None:
    id_, *_ = labelled(client, 1)
    draw(client, rate=1.0)
    client.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(input_id="in0", annotation_id=id_))
    me = Reviewer(client)
    assert take(me) == []
    (item,) = drawn(client)
    assert (item.answer, item.said, item.answered_by) == (draws.WRONG, {"elsewhere": True}, client.user_id)
    # Undone, it waits again.
    with client.server.store.read() as conn:
        action = conn.execute(select(t.history.c.action)).scalar_one()
    me.call(verdicts.undo, action=action)
    assert len(take(me)) == 1


def test_a_label_that_a_person_patched_is_still_asked_about_or_was_wrong(client: Client) -> None:
    kept, denied = labelled(client, 2)
    draw(client, rate=1.0)
    for id_, concept in ((kept, "dog"), (denied, "cat")):
        given = Annotation(id=id_, input_id="in0" if id_ == kept else "in1")
        given.data.concepts.add(id=concept, value=1)
        client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="overwrite", annotations=[given]))
    (item,) = take(Reviewer(client), 5)
    assert item["input"]["id"] == "in0"
    assert {i.annotation_id: i.answer for i in drawn(client)} == {kept: None, denied: draws.WRONG}
    assert answer(Reviewer(client), (item["item"], "no"))[0]["state"] == "done"
    assert labels_of(client, "in0") == [("dog", 0.0)]


def test_a_label_whose_run_was_taken_back_is_drawn_no_more(client: Client) -> None:
    labelled(client, 3)
    draw(client, rate=1.0)
    with client.server.store.read() as conn:
        (run,) = runs.page(conn, app_of(client).pk)
    undo_run(client.server.store, run.id)
    me = Reviewer(client)
    assert take(me, 5) == []
    assert drawn(client) == []
    assert status(me)["estimates"] == []


def test_a_label_that_went_between_the_question_and_the_answer(client: Client) -> None:
    id_, *_ = labelled(client, 1)
    draw(client, rate=1.0)
    me = Reviewer(client)
    (item,) = take(me)
    client.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(input_id="in0", annotation_id=id_))
    assert answer(me, (item["item"], "yes")) == [{"item": item["item"], "state": "gone", "by": client.user_id}]
    assert drawn(client)[0].answer == draws.WRONG


# --- verification -------------------------------------------------------------------------------


def to_verify(client: Client, *claims: tuple[str, str], exclusive: bool = True) -> list[str]:
    """Draw claims (input, concept) of inputs that are still to be labelled; the items."""
    with client.server.store.write() as conn:
        app = app_of(client).pk
        pks = dict(conn.execute(select(t.inputs.c.id, t.inputs.c.pk).where(t.inputs.c.app == app)).all())
        items = [draws.NewItem(pks[i], concept, "version", SECRET, 0.5) for i, concept in claims]
        draws.draw(
            conn,
            app,
            draws.VERIFY,
            items,
            user_id=client.user_id,
            params={"exclusive": exclusive},
            model_version_id="version",
        )
        return [str(i.pk) for i in draws.drawn(conn, app, kind=draws.VERIFY)]


def test_which_is_it_is_asked_without_a_hint(client: Client) -> None:
    add_inputs(client, "a", "b", "c", "d")
    waits = predicted(client, "a", [("dog", SECRET)])
    predicted(client, "b", [("cat", SECRET)])
    before = annotations_now(client)
    one, two, three, four = to_verify(client, ("a", "dog"), ("b", "cat"), ("c", "dog"), ("d", "dog"))
    me = Reviewer(client)
    reply = me.call(audits.take, n=9)
    assert [i["item"] for i in reply["items"]] == [one, two, three, four]
    assert {i["question"] for i in reply["items"]} == {"which"}
    assert all(i["concept"] is None for i in reply["items"])
    choices = [{"id": "cat", "name": "cat"}, {"id": "dog", "name": "dog"}]
    assert all(i["choices"] == choices for i in reply["items"])
    assert str(SECRET) not in json.dumps(reply)

    def which(item: str, concept: str) -> dict[str, Any]:
        return {"item": item, "verdict": "which", "new_concept": {"id": concept}}

    refused = answer(me, (one, "yes"), (one, "which"))
    assert all("error" in r for r in refused)
    action = new_id()
    results = answer(me, which(one, "dog"), which(two, "dog"), (three, "no"), (four, "unsure"), action=action)
    assert [(r["state"], r["right"]) for r in results] == [
        ("done", True),
        ("done", False),
        ("done", False),
        ("done", None),
    ]
    # What waited for a person is decided, and what nobody had written is written.
    assert labels_of(client, "a") == [("dog", 1.0)]
    assert labels_of(client, "b") == [("cat", 0.0), ("dog", 1.0)]
    assert labels_of(client, "c") == [("dog", 0.0)]
    assert labels_of(client, "d") == []
    assert (row_of(client, waits).status_code, row_of(client, waits).origin) == (SUCCESS, t.CONFIRMED)
    with client.server.store.read() as conn:
        told = [(i.answer, (i.said or {}).get("concept")) for i in draws.answers(conn, app_of(client).pk)]
    assert told == [(draws.RIGHT, "dog"), (draws.WRONG, "dog"), (draws.WRONG, None), (draws.UNTOLD, None)]
    # They are no audit.
    assert status(me)["estimates"] == []
    undone = me.call(audit_answers.undo, action=action)
    assert len(undone["undone"]) == 4
    assert undone["kept"] == []
    assert annotations_now(client) == before


def test_of_concepts_that_do_not_exclude_each_other_the_claimed_one_is_asked_about(client: Client) -> None:
    add_inputs(client, "a", "b")
    yes, no = to_verify(client, ("a", "dog"), ("b", "dog"), exclusive=False)
    me = Reviewer(client)
    items = take(me, 2)
    assert [i["question"] for i in items] == ["is", "is"]
    assert items[0]["concept"]["id"] == "dog"
    answer(me, (yes, "yes"), (no, "no"))
    assert (labels_of(client, "a"), labels_of(client, "b")) == ([("dog", 1.0)], [("dog", 0.0)])


# --- undo -----------------------------------------------------------------------------------------


def test_undo_takes_back_answers_last_first(client: Client) -> None:
    labelled(client, 3)
    before = annotations_now(client)
    draw(client, rate=1.0)
    me = Reviewer(client)
    items = [i["item"] for i in take(me, 3)]
    for item, said in zip(items, ("yes", "no", "unsure"), strict=True):
        answer(me, (item, said))
    for item in reversed(items):
        reply = me.call(audit_answers.undo)
        assert [i["item"] for i in reply["undone"]] == [item]
        assert reply["kept"] == []
        # It is held by the tab, and as blind as before.
        assert take(Reviewer(client, tab="two"), 9) == []
        assert str(SECRET) not in json.dumps(reply)
    assert me.call(audit_answers.undo) == {"action": None, "undone": [], "kept": []}
    assert annotations_now(client) == before
    assert all(i.answer is None and i.said is None for i in drawn(client))
    with client.server.store.read() as conn:
        assert all(conn.execute(select(t.history.c.undone_at)).scalars())


def test_the_reviews_undo_leaves_audits_alone_unless_it_names_one(client: Client) -> None:
    labelled(client, 1)
    draw(client, rate=1.0)
    me = Reviewer(client)
    (item,) = take(me)
    action = new_id()
    answer(me, (item["item"], "no"), action=action)
    assert me.call(verdicts.undo)["action"] is None
    # From the history of the input: the answer goes with the verdict.
    assert me.call(verdicts.undo, action=action)["kept"] == []
    assert drawn(client)[0].answer is None
    assert labels_of(client, "in0") == [("dog", SECRET)]
    assert me.call(audit_answers.undo, action=action)["undone"] == []
    # A late copy decides nothing, and an action is one person's.
    assert answer(me, (item["item"], "no"), action=action)[0]["state"] == "again"
    assert labels_of(client, "in0") == [("dog", SECRET)]
    stranger = another(client)
    share(client, stranger, "All")
    with pytest.raises(InvalidRequest, match="another user's"):
        answer(Reviewer(client, stranger.token), (item["item"], "no"), action=action)


def test_two_draws_of_one_label(client: Client) -> None:
    """What was drawn to be verified was labelled meanwhile, and drawn for an audit."""
    labelled(client, 1)
    draw(client, rate=1.0)
    (verify,) = to_verify(client, ("in0", "dog"))
    audited = str(drawn(client)[0].pk)
    me = Reviewer(client)
    take(me, 2)
    same = {"item": verify, "verdict": "which", "new_concept": {"id": "dog"}}
    first, second = answer(me, same, (audited, "no"))
    assert (first["state"], second["state"]) == ("done", "gone")
    assert "another answer" in second["error"]
    me.call(audits.release)
    # The audit has its answer by the other.
    assert take(me, 2) == []
    assert {i.kind: i.answer for i in drawn(client)} == {draws.VERIFY: draws.RIGHT, draws.AUDIT: draws.RIGHT}


def test_what_was_changed_since_stays(client: Client) -> None:
    id_, *_ = labelled(client, 1)
    draw(client, rate=1.0)
    me = Reviewer(client)
    (item,) = take(me)
    action = new_id()
    answer(me, (item["item"], "no"), action=action)
    given = Annotation(id=id_, input_id="in0", data=Data(concepts=[Concept(id="dog", value=1)]))
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="overwrite", annotations=[given]))
    reply = me.call(audit_answers.undo, action=action)
    assert reply["undone"] == []
    (kept,) = reply["kept"]
    assert kept["item"] == item["item"]
    assert "changed since" in kept["why"]
    assert drawn(client)[0].answer == draws.WRONG
    # Another person's action is not mine to take back.
    assert Reviewer(client, tab="two").call(audit_answers.undo, action="another")["undone"] == []


# --- the estimate and the alarm -------------------------------------------------------------------


def test_the_estimate_of_each_concept_and_version(client: Client) -> None:
    labelled(client, 10)
    labelled(client, 4, concept="cat", prefix="c")
    draw(client, rate=1.0)
    me = Reviewer(client)
    items = take(me, 14)
    dogs = [i["item"] for i in items if i["concept"]["id"] == "dog"]
    answer(me, *((d, "no" if i < 2 else "yes") for i, d in enumerate(dogs[:9])), (dogs[9], "unsure"))
    found = status(me)
    both, dog, cat = found["estimates"]
    assert (dog["drawn"], dog["answered"], dog["wrong"], dog["untold"], dog["waiting"]) == (10, 9, 2, 1, 0)
    assert dog["error"] == pytest.approx(2 / 9)
    # Clopper and Pearson, 1934: 2 of 9 at 95 %.
    assert (dog["low"], dog["high"]) == pytest.approx((0.0281, 0.6001), abs=1e-4)
    assert (cat["answered"], cat["error"], cat["low"], cat["high"], cat["waiting"]) == (0, None, 0.0, 1.0, 4)
    assert both["concept"] is None
    assert (both["drawn"], both["answered"], both["wrong"]) == (14, 9, 2)
    assert found["alarms"] == 0
    assert {e["target"] for e in found["estimates"]} == {None}
    assert found["mine"] == {"today": 10, "all": 10}
    assert found["left"] == 4


def test_an_alarm_is_raised_and_cleared(client: Client) -> None:
    labelled(client, 30)
    promise(client, 0.05)
    draw(client, rate=1.0)
    me = Reviewer(client)
    wrong = float(metrics.AUDIT_ANSWERS.labels(metrics.WRONG)._value.get())
    with structlog.testing.capture_logs() as logs:
        answer_all(me, ["yes"] * 9 + ["no"])
        (dog,) = status(me)["estimates"]
        assert (dog["target"]["error"], dog["state"], dog["alarm"]) == (0.05, "doubtful", False)
        assert logs == []
        answer_all(me, ["no"] * 5)
    (dog,) = status(me)["estimates"]
    assert dog["alarm"] is True
    assert status(me)["alarms"] == 1
    (line,) = logs
    assert line["log_level"] == "warning"
    assert (line["app"], line["concept"], line["model_version"]) == ("app", "dog", "version")
    assert "6 of 15" in line["reason"]
    assert float(metrics.AUDIT_ANSWERS.labels(metrics.WRONG)._value.get()) == wrong + 6
    with client.server.store.read() as conn:
        assert audit_estimates.alarms(conn) == 1
    with structlog.testing.capture_logs() as logs:
        me.call(audit_answers.undo)
    assert [line["event"] for line in logs] == ["audit alarm is over"]
    assert status(me)["alarms"] == 0
    with client.server.store.read() as conn:
        assert audit_estimates.alarms(conn) == 0


def test_a_higher_threshold_clears_an_alarm(client: Client) -> None:
    add_inputs(client, *(f"in{i}" for i in range(20)))
    for i in range(20):
        predicted(client, f"in{i}", [("dog", 0.6 if i < 8 else 0.95)], status=SUCCESS)
    promise(client, 0.05)
    draw(client, rate=1.0)
    me = Reviewer(client)
    low = {str(i.pk) for i in drawn(client) if i.score == 0.6}
    items = [i["item"] for i in take(me, 20)]
    answer(me, *((i, "no" if i in low else "yes") for i in items))
    assert status(me)["alarms"] == 1
    later = promise(client, 0.05, threshold=0.9)
    (dog,) = status(me)["estimates"]
    assert (dog["answered"], dog["wrong"], dog["below"], dog["alarm"]) == (12, 0, 8, False)
    assert dog["target"]["threshold"] == 0.9
    # Undone, the tuning before counts again.
    with client.server.store.write() as conn:
        tunings.mark_undone(conn, later.pk)
    assert status(me)["alarms"] == 1


def test_a_joint_promise_is_about_all_concepts_together(client: Client) -> None:
    labelled(client, 12)
    labelled(client, 12, concept="cat", prefix="c")
    promise(client, 0.05, joint=True)
    draw(client, rate=1.0)
    me = Reviewer(client)
    items = take(me, 24)
    answer(me, *((i["item"], "no" if i["concept"]["id"] == "cat" else "yes") for i in items))
    both, *each = status(me)["estimates"]
    assert both["concept"] is None
    assert both["alarm"] is True
    assert [(e["concept"]["id"], e["wrong"], e["target"]) for e in each] == [("cat", 12, None), ("dog", 0, None)]
