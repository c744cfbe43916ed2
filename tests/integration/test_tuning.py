"""Tuning an app's thresholds: what may be drawn, what counts as evidence, what is made, and taking it back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2 as r
from clarifai_grpc.grpc.api import service_pb2
from sqlalchemy import Connection, select

from labelwright.errors import DoesNotExist, InvalidRequest, ModelDoesNotExist, Overloaded
from labelwright.protocol import tuning as endpoints
from labelwright.protocol.dispatch import call_of
from labelwright.store import apps, draws, trainings, tunings
from labelwright.store import tables as t
from labelwright.training import claims, evidence, route, tuner, tuning
from labelwright.training.tuner import CONFIDENCES, ERRORS, Drawn, Tuned
from labelwright.training.tuning import NEVER, Target
from tests.integration.some_thresholds import KINDS, Farm, add_head, add_pool, node, say

FIVE = Target(0.05, 0.95)


@pytest.fixture
def farm(client: Any) -> Farm:
    return Farm(client)


def draw(farm: Farm, n: int = 200, seed: int = 7, **more: Any) -> Drawn:
    return tuner.draw(farm.store, farm.blobs, farm.row, "head", n=n, user_id="somebody", seed=seed, **more)


def tune(farm: Farm, target: Target = FIVE, **more: Any) -> Tuned:
    return tuner.tune(farm.store, farm.blobs, farm.row, "head", target, user_id="somebody", **more)


def items(farm: Farm) -> list[Any]:
    with farm.store.read() as conn:
        return draws.drawn(conn, farm.app.pk, farm.version)


def see(farm: Farm, n: int) -> None:
    """Let the head have been trained on the first n inputs."""
    with farm.store.write() as conn:
        pk = conn.execute(select(t.model_versions.c.pk).where(t.model_versions.c.id == farm.version)).scalar_one()
        trainings.saw(conn, pk, list(farm.inputs.values())[:n])


# --- drawing --------------------------------------------------------------------------------------


def test_a_draw_holds_chance_score_and_concept_of_each_claim(farm: Farm) -> None:
    done = draw(farm, 100)
    assert (done.items, done.pool, done.model_version_id) == (100, 400, farm.version)
    drawn = items(farm)
    assert [i.chance for i in drawn] == [0.25] * 100
    assert len({i.input for i in drawn}) == 100
    assert {i.kind for i in drawn} == {draws.VERIFY}
    assert all(0.5 <= i.score <= 1 and i.concept_id in KINDS for i in drawn)
    assert sorted(i.input for i in drawn) != [i.input for i in drawn], "in the order of chance, not of keys"
    assert drawn[0].draw_params["exclusive"] is True


def test_only_what_is_still_to_be_decided_is_drawn_and_nothing_twice(farm: Farm) -> None:
    keys = list(farm.inputs.values())
    see(farm, 100)
    with farm.store.write() as conn:
        for pk in keys[100:150]:
            say(conn, farm.app.pk, pk, {"cat": 1})
        # What another model says, or what is said of another concept, decides nothing.
        say(conn, farm.app.pk, keys[150], {"cat": 1}, origin=t.MODEL)
        say(conn, farm.app.pk, keys[151], {"bird": 1})
    assert draw(farm, 200).pool == 250
    second = draw(farm, 200)
    assert (second.items, second.pool) == (50, 50)
    assert {i.input for i in items(farm)} == set(keys[150:])
    with pytest.raises(InvalidRequest, match="nothing that is still to be decided"):
        draw(farm, 1)


def test_what_can_not_be_drawn(farm: Farm) -> None:
    with pytest.raises(InvalidRequest, match="1 to 100000"):
        draw(farm, 0)
    with pytest.raises(ModelDoesNotExist, match="'nobody'"):
        tuner.draw(farm.store, farm.blobs, farm.row, "nobody", n=1, user_id="x")
    with pytest.raises(ModelDoesNotExist, match="no version 'v9'"):
        draw(farm, 1, version_id="v9")


def test_a_lease_keeps_items_apart_and_answers_stand(farm: Farm) -> None:
    draw(farm, 5)
    with farm.store.write() as conn:
        app = farm.app.pk
        mine = draws.take(conn, app, draws.VERIFY, holder="a", at=0, n=3)
        theirs = draws.take(conn, app, draws.VERIFY, holder="b", at=1, n=3)
        assert [len(mine), len(theirs)] == [3, 2]
        assert not {i.pk for i in mine} & {i.pk for i in theirs}
        assert draws.hold(conn, app, [mine[0].pk], holder="b", at=2) == set()
        assert draws.hold(conn, app, [mine[0].pk], holder="a", at=2) == {mine[0].pk}
        assert draws.release(conn, app, "b") == 2
        late = draws.LEASE + 1
        assert len(draws.take(conn, app, "", holder="b", at=late, n=9, exclude=[theirs[0].pk])) == 3
        assert draws.answer(conn, mine[0].pk, draws.RIGHT, by="a")
        assert not draws.answer(conn, mine[0].pk, draws.WRONG, by="b"), "the first answer stands"
        assert draws.count_waiting(conn, app) == 4
        assert not draws.unanswer(conn, mine[0].pk, by="b")
        assert draws.unanswer(conn, mine[0].pk, by="a")
        assert draws.count_waiting(conn, app, draws.VERIFY) == 5


# --- evidence -------------------------------------------------------------------------------------


def test_items_that_trained_the_head_are_left_out_and_counted(farm: Farm) -> None:
    draw(farm, 200)
    farm.answer()
    seen = {i.input for i in items(farm)[:30]}
    with farm.store.write() as conn:
        pk = conn.execute(select(t.model_versions.c.pk).where(t.model_versions.c.id == farm.version)).scalar_one()
        trainings.saw(conn, pk, sorted(seen))
    known = tune(farm, dry_run=True).evidence
    assert (known.trained, len(known.verified.scores)) == (30, 170)


def test_labels_that_were_not_drawn_are_refused_with_the_reason(farm: Farm) -> None:
    with farm.store.write() as conn:
        for pk in list(farm.inputs.values())[:300]:
            say(conn, farm.app.pk, pk, {farm.truth[pk]: 1.0}, origin=t.CONFIRMED, version=farm.version)
    with pytest.raises(InvalidRequest, match=r"nothing was drawn.*300 claims .* are no evidence: people are shown"):
        tune(farm)
    draw(farm, 80)
    farm.answer()
    known = tune(farm, dry_run=True).evidence
    assert (known.not_drawn, len(known.verified.scores)) == (300, 80)


def test_a_label_given_elsewhere_is_the_answer(farm: Farm) -> None:
    draw(farm, 3)
    first, second, _ = items(farm)
    other = next(kind for kind in KINDS if kind != second.concept_id)
    with farm.store.write() as conn:
        say(conn, farm.app.pk, first.input, {first.concept_id: 1.0})
        say(conn, farm.app.pk, second.input, {other: 1.0})
    known = tune(farm, dry_run=True).evidence
    assert known.verified.right.tolist() == [True, False]
    assert (known.waiting, known.not_drawn) == (1, 0)
    assert [(i.answer, i.answered_by) for i in items(farm)][:2] == [(1, "somebody"), (0, "somebody")]


def test_answers_behind_a_gap_wait_for_it_and_who_can_not_tell_counts_as_wrong(farm: Farm) -> None:
    draw(farm, 10)
    drawn = items(farm)
    with farm.store.write() as conn:
        for item in drawn[:3] + drawn[4:]:
            draws.answer(conn, item.pk, draws.RIGHT, by="a")
    known = tune(farm, dry_run=True).evidence
    assert (len(known.verified.scores), known.out_of_turn, known.waiting) == (3, 6, 1)
    with farm.store.write() as conn:
        draws.answer(conn, drawn[3].pk, draws.UNTOLD, by="a")
    known = tune(farm, dry_run=True).evidence
    assert (len(known.verified.scores), known.untold, known.verified.right.sum()) == (10, 1, 9)


# --- tuning ---------------------------------------------------------------------------------------


def test_both_thresholders_and_the_workflow_get_versions_and_undo_puts_them_back(farm: Farm) -> None:
    before, rows = farm.thresholds(), farm.rows()
    flow = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    draw(farm)
    farm.answer()
    done = tune(farm)
    assert done.made is not None
    after = farm.thresholds()
    (limit,) = done.decision.limits
    assert 0.5 < limit.threshold < 0.9
    assert after == {"yes": dict.fromkeys(KINDS, limit.threshold), "no": dict.fromkeys(KINDS, limit.threshold)}
    assert farm.rows() == {
        "model_versions": rows["model_versions"] + 2,
        "workflow_versions": rows["workflow_versions"] + 1,
        "tunings": 1,
    }
    assert limit.bound <= 0.05
    labelled = [farm.truth[pk] == c for pk, (c, score) in claims_of(farm).items() if score >= limit.threshold]
    assert labelled.count(False) <= 0.05 * len(labelled)

    undone = tuner.undo(farm.store, farm.row, done.id)
    assert undone.id == done.id
    assert farm.thresholds() == before
    now = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    assert now.version.id != flow.version.id
    assert list(now.nodes) == list(flow.nodes)
    newest = farm.client.call("GetModel", service_pb2.GetModelRequest(model_id="over")).model.model_version
    assert {c.id: c.value for c in newest.output_info.data.concepts} == before["yes"]
    with pytest.raises(InvalidRequest, match="undone already"):
        tuner.undo(farm.store, farm.row, done.id)


def claims_of(farm: Farm) -> dict[int, tuple[str, float]]:
    """Input key to what the head claims of it."""
    with farm.store.read() as conn:
        of = claims.subject(conn, farm.blobs, farm.row, "head")
        found = claims.claims(conn, of)
    names = [of.concepts[i] for i in found.concepts]
    return dict(zip(found.inputs.tolist(), zip(names, found.scores.tolist(), strict=True), strict=True))


def test_a_dry_run_is_a_look_and_the_same_look_again_is_free(farm: Farm) -> None:
    before, rows = farm.thresholds(), farm.rows()
    draw(farm)
    farm.answer(100)
    first = tune(farm, dry_run=True)
    assert (first.decision.look, first.made, farm.thresholds()) == (1, None, before)
    assert farm.rows() == {**rows, "tunings": 1}
    assert tune(farm, dry_run=True).decision == first.decision
    assert tune(farm, Target(0.1, 0.95), dry_run=True).decision.look == 2
    farm.answer()
    third = tune(farm, Target(0.1, 0.95))
    assert third.decision.look == 3
    assert farm.thresholds() != before
    with farm.store.read() as conn:
        assert [row.made is None for row in tunings.of_version(conn, farm.app.pk, farm.version)] == [True] * 3 + [False]


def test_where_the_answers_support_nothing_nothing_is_made(farm: Farm) -> None:
    before = farm.thresholds()
    draw(farm)
    farm.answer(20)
    done = tune(farm)
    (limit,) = done.decision.limits
    assert (done.made, limit.threshold, farm.thresholds()) == (None, NEVER, before)
    assert limit.more > 0
    with pytest.raises(InvalidRequest, match="made nothing"):
        tuner.undo(farm.store, farm.row, done.id)


def test_one_threshold_for_each_concept(farm: Farm) -> None:
    draw(farm, 350)
    farm.answer()
    done = tune(farm, Target(0.1, 0.9, joint=False))
    assert [limit.group for limit in done.decision.limits] == [0, 1]
    assert farm.thresholds()["yes"] == dict(
        zip(KINDS, [limit.threshold for limit in done.decision.limits], strict=True)
    )


def test_a_newer_version_of_the_model_is_put_into_the_workflow_with_its_thresholds(farm: Farm) -> None:
    old = farm.version
    with farm.store.write() as conn:
        farm.version = add_head(conn, farm.blobs, farm.app.pk)
    draw(farm)
    farm.answer()
    done = tune(farm)
    assert done.made is not None
    assert done.made["model"] == {"id": "head", "version": farm.version, "before": old}
    flow = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    assert flow.nodes[0].model.model_version.id == farm.version
    tuner.undo(farm.store, farm.row, done.id)
    flow = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    assert flow.nodes[0].model.model_version.id == old


def test_a_failure_half_way_leaves_nothing(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(farm)
    farm.answer()
    rows = farm.rows()

    def fail(*_args: Any, **_named: Any) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(tunings, "add", fail)
    with pytest.raises(RuntimeError, match="the disk is full"):
        tune(farm)
    assert farm.rows() == rows


def test_who_changed_the_workflow_since_keeps_it(farm: Farm) -> None:
    draw(farm)
    farm.answer()
    first = tune(farm)
    second = tuner.by_hand(farm.store, farm.row, {"cat": 0.75}, user_id="x")
    with pytest.raises(InvalidRequest, match="has been changed since"):
        tuner.undo(farm.store, farm.row, first.id)
    tuner.undo(farm.store, farm.row, second.id)
    tuner.undo(farm.store, farm.row, first.id)
    assert farm.thresholds()["yes"] == pytest.approx({"cat": 0.9, "dog": 0.9})
    with pytest.raises(DoesNotExist, match="no tuning 'nothing'"):
        tuner.undo(farm.store, farm.row, "nothing")


@pytest.mark.parametrize(
    "target",
    [
        Target(0, 0.95),
        Target(1, 0.95),
        Target(0.05, 1),
        Target(float("nan"), 0.95),
        Target(0.05, float("nan")),
        Target(1e-320, 0.95),
        Target(0.51, 0.95),
        Target(0.05, 1e-300),
        Target(0.05, 1 - 2**-53),
    ],
)
def test_targets_that_can_not_be_meant(target: Target) -> None:
    with pytest.raises(InvalidRequest, match=r"^(error|confidence) is \S+; 0\.\d+ to 0\.\d+ is legal, such as"):
        tuner.check_target(target)


def test_the_hardest_and_the_laxest_targets_get_an_answer(farm: Farm) -> None:
    draw(farm, 390)
    farm.answer()
    with farm.store.write() as conn:
        for k in range(4):
            about = {"by": tuner.DATA, "look": 10**k, "fingerprint": str(k)}
            tunings.add(
                conn, farm.app.pk, model_version_id=farm.version, params=about, result={}, made=None, user_id="x"
            )
    targets = [Target(e, c, j) for e in ERRORS for c in CONFIDENCES for j in (True, False)]
    for k, target in enumerate(targets):
        done = tune(farm, target, dry_run=True)
        assert done.decision.look == 1001 + k
        assert all(0 <= limit.bound <= 1 for limit in done.decision.limits)


# --- turns to write are short ---------------------------------------------------------------------


def test_what_takes_long_is_worked_out_before_the_turn_to_write(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuner, "WRITTEN", 10)
    read: list[str] = []

    def only_reads(module: Any, name: str) -> None:
        real = getattr(module, name)

        def spy(conn: Connection, *args: Any, **named: Any) -> Any:
            assert not conn.get_execution_options().get("labelwright_write"), f"{name} keeps other writers waiting"
            read.append(name)
            return real(conn, *args, **named)

        monkeypatch.setattr(module, name, spy)

    only_reads(route, "find")
    only_reads(claims, "words")
    only_reads(evidence, "elsewhere")
    assert page(farm, endpoints.draw, "PostAnnotations", n=35)["items"] == 35
    drawn = items(farm)
    assert len({i.draw for i in drawn}) == 1
    assert [i.chance for i in drawn] == [35 / 400] * 35
    with farm.store.write() as conn:
        draws.answer(conn, drawn[7].pk, draws.UNTOLD, by="first")
        for item in drawn[:25]:
            say(conn, farm.app.pk, item.input, {item.concept_id: 1.0})
    page(farm, endpoints.apply, guarantee=True)
    told = [(i.answer, i.answered_by, i.said) for i in items(farm)]
    wanted: list[Any] = [(draws.RIGHT, "somebody", {"elsewhere": True})] * 25 + [(None, None, None)] * 10
    wanted[7] = (draws.UNTOLD, "first", None)
    assert told == wanted
    page(farm, endpoints.apply, thresholds=[{"concept": "cat", "value": 0.5}])
    assert {"find", "words", "elsewhere"} == set(read)


def test_a_workflow_that_changes_meanwhile_is_left_alone(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(farm)
    farm.answer()
    real = tuning.decide

    def meanwhile(*args: Any, **named: Any) -> Any:
        tuner.by_hand(farm.store, farm.row, {"cat": 0.75}, user_id="x")
        return real(*args, **named)

    monkeypatch.setattr(tuner, "decide", meanwhile)
    with pytest.raises(Overloaded, match="changed meanwhile; try again"):
        tune(farm)
    assert farm.thresholds()["yes"] == pytest.approx({"cat": 0.75, "dog": 0.9})

    def default_gone(*args: Any, **named: Any) -> Any:
        with farm.store.write() as conn:
            conn.execute(t.apps.update().where(t.apps.c.pk == farm.app.pk).values(default_workflow=None))
        return real(*args, **named)

    monkeypatch.setattr(tuner, "decide", default_gone)
    with pytest.raises(Overloaded, match="changed meanwhile; try again"):
        tune(farm)


def test_a_workflow_without_the_pair_is_told(farm: Farm) -> None:
    draw(farm)
    nodes = [r.WorkflowNode(id="see", model=r.Model(id="head"))]
    over = r.WorkflowNode(id="yes", model=r.Model(id="over"), node_inputs=[r.NodeInput(node_id="see")])
    for wanted, says in (([*nodes, over], "a pair is legal"), (nodes, "0 that compare LESS_THAN")):
        workflow = r.Workflow(id="flow", nodes=wanted)
        farm.client.call("PatchWorkflows", service_pb2.PatchWorkflowsRequest(workflows=[workflow], action="overwrite"))
        with pytest.raises(InvalidRequest, match=says):
            tune(farm)


# --- audits ---------------------------------------------------------------------------------------


def test_answers_to_audits_are_evidence_from_where_they_begin(farm: Farm) -> None:
    draw(farm, 40)
    farm.answer()
    alone = tune(farm, FIVE, dry_run=True)
    known = {i.input for i in items(farm)}
    sure = [(pk, c, score) for pk, (c, score) in claims_of(farm).items() if score >= 0.9 and pk not in known][:130]
    with farm.store.write() as conn:
        new = [draws.NewItem(pk, concept, farm.version, score, 0.5, "a", 0) for pk, concept, score in sure]
        draws.draw(conn, farm.app.pk, draws.AUDIT, new, user_id="x", params={})
        for item in draws.drawn(conn, farm.app.pk, farm.version, draws.AUDIT):
            draws.answer(conn, item.pk, int(farm.truth[item.input] == item.concept_id), by="x")
    both = tune(farm, FIVE, dry_run=True)
    assert len(both.evidence.audited.scores) == len(sure)
    assert min(both.evidence.audited_from.values()) >= 0.9
    assert alone.decision.coverage == 0
    assert both.decision.coverage > 0


# --- a model without a head of ours ---------------------------------------------------------------


def test_what_another_model_said_when_the_workflow_ran_is_tuned_concept_by_concept(client: Any) -> None:
    farm = Farm(client, n=10)
    with farm.store.write() as conn:
        other = add_head(conn, farm.blobs, farm.app.pk, model_id="seer")
        pk = conn.execute(select(t.model_versions.c.pk).where(t.model_versions.c.id == other)).scalar_one()
        conn.execute(t.trainings.delete().where(t.trainings.c.model_version == pk))
        keys = add_pool(conn, farm.app.pk, {f"t{k}": 0.0 for k in range(100)})
        for k, key in enumerate(keys.values()):
            say(conn, farm.app.pk, key, {"cat": 0.99 - k / 1000, "fur": 0.4}, origin=t.MODEL, version=other)
    done = tuner.draw(farm.store, farm.blobs, farm.row, "seer", n=60, user_id="x")
    assert done.pool == 200, "each concept of an input is a claim of its own"
    with farm.store.write() as conn:
        for item in draws.drawn(conn, farm.app.pk, other):
            draws.answer(conn, item.pk, int(item.concept_id == "cat"), by="x")
    tuned = tuner.tune(farm.store, farm.blobs, farm.row, "seer", Target(0.2, 0.9), user_id="x", dry_run=True)
    (limit,) = tuned.decision.limits
    assert 0.8 < limit.threshold < 0.99
    with pytest.raises(InvalidRequest, match="does not run model 'seer'"):
        tuner.tune(farm.store, farm.blobs, farm.row, "seer", Target(0.2, 0.9), user_id="x")


# --- as the pages ask -----------------------------------------------------------------------------


def page(farm: Farm, what: Any, rpc: str = "PatchWorkflows", **given: Any) -> dict[str, Any]:
    call = call_of(farm.client.server, rpc, {"authorization": f"Key {farm.client.token}"})
    made: dict[str, Any] = what(call, farm.client.user_app_id, given)
    return made


def test_a_forecast_along_the_thresholds(farm: Farm) -> None:
    keys = list(farm.inputs.values())
    with farm.store.write() as conn:
        for k in range(10):
            say(conn, farm.app.pk, keys[k], {"cat": k / 10 + 0.05}, origin=t.MODEL, version=farm.version)
    draw(farm, 50)
    farm.answer()
    made = page(farm, endpoints.forecast, "ListAnnotations", concept="cat")
    points = {round(p["threshold"], 3): p for p in made["points"]}
    assert len(points) == 201
    assert (points[0.0]["coverage"], points[0.5]["coverage"], points[1.0]["coverage"]) == (1.0, 0.5, 0.0)
    assert points[0.9]["expected"] == pytest.approx(0.05)
    assert points[1.0]["expected"] is None
    assert made["verified"] == points[0.0]["verified"] > 10
    assert 0 < points[0.5]["bound"] < 1
    assert (made["model_id"], made["problem"]) == ("head", "")
    with pytest.raises(DoesNotExist, match="no concept"):
        page(farm, endpoints.forecast, "ListAnnotations", concept="nothing")
    with pytest.raises(InvalidRequest, match="concept is empty"):
        page(farm, endpoints.forecast, "ListAnnotations")


def test_thresholds_by_hand_are_without_guarantee_and_undoable(farm: Farm) -> None:
    before = farm.thresholds()
    made = page(farm, endpoints.apply, thresholds=[{"concept": "cat", "value": 0.5}])
    assert farm.thresholds()["no"] == pytest.approx({"cat": 0.5, "dog": 0.9})
    (row,) = page(farm, endpoints.listing, "ListWorkflows")["tunings"]
    assert (row["id"], row["by"], row["error"], row["made"], row["undone_at"]) == (
        made["tuning"],
        "hand",
        None,
        True,
        None,
    )
    for beginning in (made["tuning"][:-1], made["tuning"][:1], made["tuning"].upper()):
        with pytest.raises(DoesNotExist, match="has no tuning"):
            page(farm, endpoints.undo, tuning=beginning)
    page(farm, endpoints.undo, tuning=made["tuning"])
    assert farm.thresholds() == before
    (row,) = page(farm, endpoints.listing, "ListWorkflows")["tunings"]
    assert row["undone_at"]
    for given, says in (
        ({"thresholds": [{"concept": "bird", "value": 0.5}]}, "no threshold for 'bird'"),
        ({"thresholds": [{"concept": "cat", "value": 1.5}]}, "0 to 1 is legal"),
        ({"thresholds": [{"concept": "cat"}]}, "has no value"),
        ({"thresholds": []}, "0 of thresholds given"),
        ({"thresholds": [], "more": 1}, "no parameter 'more'"),
        ({"guarantee": False}, "guarantee is false"),
        ({"guarantee": 1}, "guarantee is int"),
        ({"guarantee": True}, "nothing was drawn"),
        ({"guarantee": True, "error": 0}, "error is 0"),
        ({"guarantee": True, "confidence": 0.9999999999999999}, "0.5 to 0.999999 is legal"),
    ):
        with pytest.raises(InvalidRequest, match=says):
            page(farm, endpoints.apply, **given)


def test_guaranteed_thresholds_as_a_page_asks_for_them(farm: Farm) -> None:
    with pytest.raises(InvalidRequest, match="n is missing"):
        page(farm, endpoints.draw, "PostAnnotations")
    made = page(farm, endpoints.draw, "PostAnnotations", n=200)
    assert (made["items"], made["pool"]) == (200, 400)
    farm.answer()
    made = page(farm, endpoints.apply, guarantee=True, error=0.05, confidence=0.95)
    assert made["made"]
    assert made["limits"][0]["threshold"] == farm.thresholds()["yes"]["cat"]
    assert made["limits"][0]["concept"] is None
    assert 0 < made["coverage"] <= 1


def test_a_model_of_a_third_app_is_tuned_where_the_workflow_runs_it(farm: Farm) -> None:
    owner = r.UserAppIDSet(user_id=farm.client.user_id)
    farm.client.call("PostApps", service_pb2.PostAppsRequest(user_app_id=owner, apps=[r.App(id="third")]))
    with farm.store.write() as conn:
        third = apps.get(conn, farm.client.user_id, "third")
        assert third is not None
        version = add_head(conn, farm.blobs, third.pk, model_id="theirs")
        # One of that name here is another model.
        add_head(conn, farm.blobs, farm.app.pk, model_id="theirs")
    theirs = r.Model(id="theirs", user_id=farm.client.user_id, app_id="third")
    nodes = [node("see", theirs), node("yes", r.Model(id="over"), "see"), node("no", r.Model(id="under"), "see")]
    workflow = r.Workflow(id="flow", nodes=nodes)
    farm.client.call("PatchWorkflows", service_pb2.PatchWorkflowsRequest(workflows=[workflow], action="overwrite"))
    assert page(farm, endpoints.draw, "PostAnnotations", n=200)["items"] == 200
    farm.answer()
    assert page(farm, endpoints.apply, guarantee=True, error=0.05)["made"]
    flow = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    assert (flow.nodes[0].model.app_id, flow.nodes[0].model.model_version.id) == ("third", version)
    assert 0.5 < farm.thresholds()["yes"]["cat"] < 0.9


# --- the way through the workflow -----------------------------------------------------------------


def mapping(farm: Farm, *ways: tuple[str, ...], yes: str, no: str) -> None:
    """Put mappers m0, m1, ... between, each with what it reads."""
    farm.client.call(
        "PostModels",
        service_pb2.PostModelsRequest(models=[r.Model(id="mp", model_type_id="concept-synonym-mapper")]),
        expect=None,
    )
    nodes = [node("see", r.Model(id="head"))]
    nodes += [node(f"m{k}", r.Model(id="mp"), *before) for k, before in enumerate(ways)]
    nodes += [node("yes", r.Model(id="over"), yes), node("no", r.Model(id="under"), no)]
    workflow = r.Workflow(id="flow", nodes=nodes)
    farm.client.call("PatchWorkflows", service_pb2.PatchWorkflowsRequest(workflows=[workflow], action="overwrite"))


def test_each_mapper_is_looked_at_once_and_two_ways_to_a_thresholder_are_refused(farm: Farm) -> None:
    all_before = [("see", *(f"m{i}" for i in range(k))) for k in range(16)]
    mapping(farm, *all_before, yes="m15", no="m15")
    with pytest.raises(InvalidRequest, match=r"'yes' .* by more than one way, which meet in node 'm15'; one way"):
        tuner.by_hand(farm.store, farm.row, {"cat": 0.6}, user_id="x")
    # Ways that meet where no thresholder is behind are nobody's business.
    mapping(farm, ("see",), ("m0",), ("see", "m0"), yes="m1", no="m1")
    with farm.store.read() as conn:
        way = route.find(conn, farm.row)
    assert way is not None
    assert len(way.mappers) == 2
    mapping(farm, ("see",), ("m0",), yes="m1", no="m0")
    with pytest.raises(InvalidRequest, match="see different concepts"):
        tuner.by_hand(farm.store, farm.row, {"cat": 0.6}, user_id="x")


def test_a_hundred_mappers_of_which_each_reads_all_before_are_no_work(farm: Farm) -> None:
    names = ["see", *(f"m{k}" for k in range(100)), "yes"]
    nodes = [node(name, r.Model(), *names[:k]) for k, name in enumerate(names)]
    kinds = {"see": "embedding-classifier", "yes": "concept-threshold"}
    versions: Any = {n: SimpleNamespace(model_type_id=kinds.get(n, "concept-synonym-mapper")) for n in names}
    with farm.store.read() as conn:
        behind = route._Graph(conn, farm.row, nodes, versions).behind("see")
    assert (list(behind.thresholders), behind.way("yes"), behind.met("yes")) == (["yes"], [], "yes")


def test_a_mapper_between_is_followed(farm: Farm) -> None:
    farm.client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[r.Concept(id="feline")]))
    relation = r.ConceptRelation(
        subject_concept=r.Concept(id="feline"), object_concept=r.Concept(id="cat"), predicate="synonym"
    )
    farm.client.call(
        "PostConceptRelations",
        service_pb2.PostConceptRelationsRequest(concept_id="feline", concept_relations=[relation]),
    )
    mapper = r.Model(id="mapper", model_type_id="concept-synonym-mapper")
    farm.client.call("PostModels", service_pb2.PostModelsRequest(models=[mapper]))
    nodes = [
        node("see", r.Model(id="head")),
        node("map", r.Model(id="mapper"), "see"),
        node("yes", r.Model(id="over"), "map"),
        node("no", r.Model(id="under"), "map"),
    ]
    workflow = r.Workflow(id="flow", nodes=nodes)
    farm.client.call("PatchWorkflows", service_pb2.PatchWorkflowsRequest(workflows=[workflow], action="overwrite"))
    assert {concept for concept, _ in claims_of(farm).values()} == {"feline"}
    draw(farm, 110)
    with farm.store.write() as conn:
        for item in draws.drawn(conn, farm.app.pk, farm.version):
            draws.answer(conn, item.pk, int(farm.truth[item.input] == "cat"), by="x")
    done = tune(farm, Target(0.1, 0.9))
    (limit,) = done.decision.limits
    assert limit.threshold < 0.9
    # The thresholds of concepts that it can't claim stay.
    assert farm.thresholds()["yes"] == pytest.approx({"cat": 0.9, "dog": 0.9, "feline": limit.threshold})
    tuner.undo(farm.store, farm.row, done.id)
    assert farm.thresholds()["yes"] == pytest.approx({"cat": 0.9, "dog": 0.9})


def test_thresholds_that_a_node_has_of_its_own_are_seen_and_replaced(farm: Farm) -> None:
    flow = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    nodes = list(flow.nodes)
    own = r.OutputInfo(data=r.Data(concepts=[r.Concept(id="cat", value=0.7), r.Concept(id="owl", value=0.8)]))
    nodes[1].output_info_override.CopyFrom(own)
    workflow = r.Workflow(id="flow", nodes=nodes)
    farm.client.call("PatchWorkflows", service_pb2.PatchWorkflowsRequest(workflows=[workflow], action="overwrite"))
    made = tuner.by_hand(farm.store, farm.row, {"cat": 0.6}, user_id="x")
    assert made.result["before"] == pytest.approx({"cat": 0.7})
    assert farm.thresholds()["yes"] == pytest.approx({"cat": 0.6, "owl": 0.8})
    now = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    assert not now.nodes[1].output_info_override.data.concepts
    tuner.undo(farm.store, farm.row, made.id)
    now = farm.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
    assert now.nodes[1].output_info_override == own
