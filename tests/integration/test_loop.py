"""The loop on a real app, on both databases: people answer, rounds follow, kills cost nothing."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Image, Input
from PIL import Image as Picture
from sqlalchemy import func, select

from labelwright.annotator.worker import Annotator
from labelwright.errors import DoesNotExist, InvalidRequest, LabelwrightError, ModelInvalidRequest
from labelwright.ids import new_id
from labelwright.protocol import audit_answers, audits
from labelwright.protocol import loops as loop_calls
from labelwright.protocol.dispatch import call_of
from labelwright.store import apps, concepts, draws, jobs, loops, trainings
from labelwright.store import tables as t
from labelwright.training import claims, evidence, loop, loop_way, looper, route
from labelwright.training import labels as what_trains
from labelwright.training.loop import Params, Round
from tests.integration.some_reviews import Reviewer
from tests.integration.some_trainings import Jobs, post_model, trained

Client = Any
"""The class of the fixture `client`."""

KINDS = {"red": (200, 60, 60), "green": (60, 200, 60)}
SMALL = Params("kind", ("red", "green"), error=0.25, confidence=0.8, seed_size=10, verify=16, batch=8, rounds=2, seed=7)


def picture(rng: np.random.Generator, colour: tuple[int, int, int], unclear: float) -> bytes:
    """Pixels around a colour; ``unclear``: how far they go towards grey, 0 to 1."""
    middle = np.array(colour) * (1 - unclear) + 130 * unclear
    pixels = np.clip(rng.normal(middle, 25, (16, 16, 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Picture.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


class World:
    """An app with pictures, a person who knows what they show, and a lane of jobs."""

    def __init__(self, client: Client, n: int = 60, unclear: float = 0.9) -> None:
        self.client, self.server = client, client.server
        self.me = Reviewer(client)
        self.lane = Jobs(client.server)
        rng = np.random.default_rng(3)
        self.truth = {f"i{k:03}": list(KINDS)[k % len(KINDS)] for k in range(n)}
        given = [
            Input(id=i, data=Data(image=Image(base64=picture(rng, KINDS[kind], float(rng.uniform(0, unclear))))))
            for i, kind in self.truth.items()
        ]
        client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))
        annotator = Annotator(client.server.settings, client.server.store, client.server.blobs)
        while annotator.step():
            pass

    @property
    def app(self) -> Any:
        with self.server.store.read() as conn:
            return apps.get(conn, self.client.user_id, "app")

    def begin(self, params: Params = SMALL) -> Any:
        return looper.begin(self.server.store, self.app, params)[0]

    def step(self, row: Any) -> looper.Stand:
        # A new one each time: nothing is kept but in the store.
        return looper.Looper(self.server.settings, self.server.store, self.server.blobs).step(row.pk)

    def answer(self, n: int = 100, say: Callable[[str], str] | None = None) -> list[dict[str, Any]]:
        items = self.me.call(audits.take, n=n)["items"]
        verdicts = []
        for item in items:
            kind = (say or self.truth.__getitem__)(item["input"]["id"])
            verdict = {"verdict": "which", "new_concept": {"id": kind}} if kind in KINDS else {"verdict": kind}
            verdicts.append({"item": item["item"], **verdict})
        answered: list[dict[str, Any]] = self.me.call(audit_answers.answer, action=new_id(), verdicts=verdicts)[
            "results"
        ]
        return answered

    def play(self, row: Any, until: str = looper.ENDED, say: Callable[[str], str] | None = None) -> looper.Stand:
        """Step, with people and jobs, until a step comes to that."""
        for _ in range(500):
            stand = self.step(row)
            if stand.what == until:
                return stand
            if stand.what == looper.PEOPLE:
                self.answer(say=say)
            elif stand.what == looper.JOB:
                self.lane.turn()
        raise AssertionError("it does not end")

    def row(self, row: Any) -> Any:
        with self.server.store.read() as conn:
            return loops.by_pk(conn, row.pk)

    def rounds(self, row: Any) -> list[Round]:
        return [Round.from_json(one) for one in self.row(row).rounds]

    def labels(self) -> dict[str, set[tuple[str, int]]]:
        """Input id to concept and origin of what labels it with yes."""
        a, c = t.annotations.c, t.annotation_concepts.c
        query = (
            select(t.inputs.c.id, t.concepts.c.id.label("concept"), a.origin)
            .join_from(t.annotations, t.annotation_concepts, c.annotation == a.pk)
            .join(t.concepts, t.concepts.c.pk == c.concept)
            .join(t.inputs, t.inputs.c.pk == a.input)
            .where(a.status_code == 24150, c.value > 0)
        )
        found: dict[str, set[tuple[str, int]]] = {}
        with self.server.store.read() as conn:
            for one in conn.execute(query):
                found.setdefault(one.id, set()).add((one.concept, one.origin))
        return found

    def counts(self) -> dict[str, int]:
        tables = (t.draws, t.drawn_items, t.model_versions, t.workflow_versions, t.runs, t.annotations, t.jobs)
        with self.server.store.read() as conn:
            return {one.name: conn.execute(select(func.count()).select_from(one)).scalar_one() for one in tables}

    def drawn(self, kind: str = "") -> list[Any]:
        with self.server.store.read() as conn:
            return draws.drawn(conn, self.app.pk, kind=kind)


@pytest.fixture
def world(client: Client) -> World:
    return World(client)


def test_rounds_are_played_to_the_end_and_what_people_said_stands(world: World) -> None:
    row = world.begin()
    assert world.play(row).text.endswith("The loop has ended: " + world.row(row).message + ".")
    ended = world.row(row)
    assert ended.state == loop.DONE
    rounds = world.rounds(row)
    last = rounds[-1]
    assert [one.number for one in rounds] == list(range(1, len(rounds) + 1))
    assert last.taught >= 10
    assert last.verified >= 16
    assert last.auto > 0
    assert last.auto + last.open + last.people == last.pool == 60
    assert last.promise is not None
    assert last.promise <= 0.25
    # Each input has one label, and what a person was asked about has a person's alone.
    asked = {i.input for i in world.drawn() if not (i.said or {}).get("carried")}
    assert len(asked) == last.people
    labels = world.labels()
    with world.server.store.read() as conn:
        keys = dict(conn.execute(select(t.inputs.c.id, t.inputs.c.pk)).all())
    for name, said in labels.items():
        assert len(said) == 1
        (concept, origin) = next(iter(said))
        if keys[name] in asked:
            assert origin != t.MODEL
            assert concept == world.truth[name]
        else:
            assert origin == t.MODEL
    assert len(labels) == last.auto + last.people
    # The second version stands on what was verified of the first.
    if len(rounds) > 1:
        assert any((i.said or {}).get("carried") for i in world.drawn(draws.VERIFY))


def test_what_was_verified_never_trained(world: World) -> None:
    row = world.begin()
    world.play(row)
    verified = {i.input for i in world.drawn(draws.VERIFY)}
    with world.server.store.read() as conn:
        versions = conn.execute(select(t.trainings.c.model_version)).scalars().all()
        seen = {pk for version in versions for pk in trainings.seen(conn, version)}
        assert what_trains.spoken_of(conn, world.app.pk, list(KINDS), people_only=True).inputs.tolist() == sorted(seen)
    assert verified
    assert not verified & seen


def test_killed_within_any_step_it_comes_to_the_same_end_and_does_nothing_twice(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    real = loops.move
    for app_id, kills in (("whole", False), ("killed", True)):
        empty = {"id": "Empty", "app_id": "main", "user_id": "clarifai"}
        made = service_pb2.PostAppsRequest()
        made.apps.add(id=app_id).default_workflow.id = empty["id"]
        made.apps[0].default_workflow.app_id, made.apps[0].default_workflow.user_id = "main", "clarifai"
        client.call("PostApps", made)
        client.user_app_id.app_id = app_id
        world = World(client, n=40)
        before = world.counts()
        row = looper.begin(client.server.store, _app(client, app_id), SMALL)[0]
        killed: set[Any] = set()

        def move(conn: Any, at: Any, kills: bool = kills, killed: set[Any] = killed, **values: Any) -> bool:
            done = real(conn, at, **values)
            if kills and at.modified_at not in killed:
                killed.add(at.modified_at)
                raise _Killed
            return done

        monkeypatch.setattr(loops, "move", move)
        for _ in range(500):
            try:
                stand = world.step(row)
            except _Killed:
                continue
            if stand.what == looper.ENDED:
                break
            if stand.what == looper.PEOPLE:
                world.answer()
            elif stand.what == looper.JOB:
                world.lane.turn()
        rounds = [{**one.to_json(), "version": "", "tuning": "", "run": "", "at": 0} for one in world.rounds(row)]
        grown = {name: n - before[name] for name, n in world.counts().items()}
        ends.append((rounds, grown, world.row(row).message))
        assert bool(killed) == kills
    assert ends[0][0]
    assert ends[0] == ends[1]


class _Killed(BaseException):
    """As if the process had ended there."""


def _app(client: Client, app_id: str) -> Any:
    with client.server.store.read() as conn:
        return apps.get(conn, client.user_id, app_id)


def test_a_way_through_the_workflow_is_made_which_labels_nothing_yet(world: World) -> None:
    row = world.begin()
    before = world.app.default_workflow
    world.play(row, until=looper.JOB)
    world.lane.turn()
    world.step(row)
    said = world.step(row).text
    assert "The default workflow did not run kind: workflow loop-kind is the app's default now" in said
    assert "PatchApps (default_workflow clarifai/main/Empty puts it back)" in said
    assert world.app.default_workflow != before
    with world.server.store.read() as conn:
        way = route.find(conn, world.app)
        assert way is not None
        assert (way.above.thresholds, way.below.thresholds) == ({"red": 2.0, "green": 2.0},) * 2
        assert not loop_way.missing(
            conn, world.app, conn.execute(select(t.models).where(t.models.c.id == "kind")).one()
        )
    # What comes in now waits for a person, with the vector that the loop needs.
    rng = np.random.default_rng(9)
    new = Input(id="new", data=Data(image=Image(base64=picture(rng, KINDS["red"], 0))))
    world.client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[new]))
    annotator = Annotator(world.server.settings, world.server.store, world.server.blobs)
    assert annotator.step() == 1
    got = world.client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(input_ids=["new"])).annotations
    assert {a.status.code for a in got} == {24151}


def test_the_budget_is_never_exceeded_and_is_counted_apart(world: World) -> None:
    row = world.begin(Params("kind", ("red", "green"), 0.25, 0.8, True, 10, 16, 8, 30, 9, 5))
    # Somebody labels two by themselves.
    for name in ("i000", "i001"):
        given = Data(concepts=[Concept(id=world.truth[name], value=1)])
        one = service_pb2.PostAnnotationsRequest()
        one.annotations.add(input_id=name).data.CopyFrom(given)
        one.annotations[0].status.code = 24150
        world.client.call("PostAnnotations", one)
    stand = world.play(row)
    last = world.rounds(row)[-1]
    assert (last.reviewed, last.people) == (2, 30)
    assert last.taught + last.verified == 28
    assert "the budget of 30 human labels is spent" in stand.text


def test_waiting_says_how_far_people_are_and_the_command_finds_its_loop_again(world: World) -> None:
    row = world.begin()
    stand = world.play(row, until=looper.PEOPLE)
    where = f"/apps/{world.client.user_id}/app/audit"
    assert stand == looper.Stand(looper.PEOPLE, f"0 of 10 answered; people answer at {where}", 0, 10)
    assert [r["right"] for r in world.answer(4)] == [None] * 4
    assert world.step(row).done == 4
    again, before = looper.begin(world.server.store, world.app, Params("kind", rounds=9))
    assert (again.id, before) == (row.id, True)
    # A label that is given elsewhere is an answer.
    waiting = next(i for i in world.drawn() if i.answer is None)
    with world.server.store.read() as conn:
        name = conn.execute(select(t.inputs.c.id).where(t.inputs.c.pk == waiting.input)).scalar_one()
    one = service_pb2.PostAnnotationsRequest()
    one.annotations.add(input_id=name).data.concepts.add(id="red", value=1)
    one.annotations[0].status.code = 24150
    world.client.call("PostAnnotations", one)
    assert world.step(row).what == looper.MOVED
    assert world.step(row).done == 5


def test_a_loop_that_is_stopped_asks_nobody_any_more(world: World) -> None:
    row = world.begin()
    world.play(row, until=looper.PEOPLE)
    world.answer(3)
    assert looper.stop(world.server.store, world.row(row))
    assert not looper.stop(world.server.store, world.row(row))
    assert world.step(row) == looper.Stand(looper.ENDED, "it was stopped")
    assert [i.answer for i in world.drawn()] == [draws.RIGHT] * 3
    assert world.begin().id != row.id
    with world.server.store.read() as conn:
        assert looper.find(conn, row.id).state == loop.STOPPED
        with pytest.raises(DoesNotExist, match="no loop 'zz'"):
            looper.find(conn, "zz")


def test_what_is_taught_becomes_a_label_and_is_no_evidence(world: World) -> None:
    row = world.begin()
    world.play(row, until=looper.PEOPLE)
    items = world.me.call(audits.take, n=3)["items"]
    assert {i["question"] for i in items} == {"which"}
    assert [c["id"] for c in items[0]["choices"]] == ["green", "red"]
    first, second, third = (
        {"item": items[0]["item"], "verdict": "which", "new_concept": {"id": "red"}},
        {"item": items[1]["item"], "verdict": "no"},
        {"item": items[2]["item"], "verdict": "unsure"},
    )
    action = new_id()
    done = world.me.call(audit_answers.answer, action=action, verdicts=[first, second, third])["results"]
    assert [r["state"] for r in done] == ["done"] * 3
    taught = world.drawn(draws.TEACH)[:3]
    with world.server.store.read() as conn:
        said = what_trains.labels_of(conn, world.app.pk, ["red", "green"])
        assert dict(zip(said.inputs.tolist(), said.labels.tolist(), strict=True)) == {
            taught[0].input: [1.0, pytest.approx(np.nan, nan_ok=True)],
            taught[1].input: [0.0, 0.0],
        }
    assert [i.answer for i in taught] == [draws.RIGHT, draws.RIGHT, draws.UNTOLD]
    undone = world.me.call(audit_answers.undo, action=action)
    assert (len(undone["undone"]), undone["kept"]) == (3, [])
    assert world.labels() == {}
    # No evidence: the version's own draws alone are.
    world.play(row, until=looper.JOB)
    world.lane.turn()
    world.play(row, until=looper.PEOPLE)
    with world.server.store.read() as conn:
        of = claims.subject(conn, world.server.blobs, world.app, "kind")
        known = evidence.gather(conn, of, claims.words(conn, of), claims.claims(conn, of))
    assert (len(known.verified.scores), known.trained, known.waiting) == (0, 0, 16)


def test_labels_of_what_chance_drew_train_only_where_that_is_asked_for(world: World) -> None:
    row = world.begin()
    world.play(row, until=looper.JOB)
    world.lane.turn()
    world.play(row, until=looper.PEOPLE)
    world.answer()
    verified = {i.input for i in world.drawn(draws.VERIFY)}
    with world.server.store.read() as conn:
        app, kinds = world.app.pk, list(KINDS)
        plain = what_trains.spoken_of(conn, app, kinds)
        everything = what_trains.spoken_of(conn, app, kinds, train_on_verified=True)
        assert not verified & set(plain.inputs.tolist())
        assert verified < set(everything.inputs.tolist())
        assert len(everything.inputs) == len(plain.inputs) + len(verified)
    post_model(world.client, "other")
    version = trained(world.client, world.lane, "other", concepts=kinds)
    assert version.total_input_count == 10


def test_one_concept_is_learned_from_yes_and_none_of_them(world: World) -> None:
    row = world.begin(Params("kind", ("red",), 0.25, 0.8, True, 10, 12, 8, 0, 1, 7))
    world.play(row, until=looper.JOB, say=lambda name: "red" if world.truth[name] == "red" else "no")
    world.lane.turn()
    stand = world.play(row, until=looper.PEOPLE)
    assert stand.total == len(world.drawn(draws.VERIFY)) > 0
    items = world.me.call(audits.take, n=100)["items"]
    assert {i["question"] for i in items} == {"is"}
    verdicts = [
        {"item": i["item"], "verdict": "yes" if world.truth[i["input"]["id"]] == "red" else "no"} for i in items
    ]
    world.me.call(audit_answers.answer, action=new_id(), verdicts=verdicts)
    world.play(row)
    (only,) = world.rounds(row)
    assert only.verified == len(items)
    assert Counter(c for said in world.labels().values() for c, _ in said)["green"] == 0


def test_a_loop_is_played_by_calls_alone(world: World) -> None:
    given: dict[str, Any] = {**SMALL.to_json(), "model": "kind"}
    del given["seed"]
    first = world.me.call(loop_calls.run, "PostModelVersions", **given)
    assert first["began"]
    assert first["loop"]["playing"]
    assert first["loop"]["state"] == loop.RUNNING
    listed = call_of(world.server, "ListModelVersions", {"authorization": f"Key {world.client.token}"})
    ended: dict[str, Any] = {}
    for _ in range(40):
        world.lane.all()
        (ended,) = loop_calls.listing(listed, world.client.user_app_id, {})["loops"]
        assert not ended["playing"]
        assert ended["id"] == first["loop"]["id"]
        if ended["state"] != loop.RUNNING:
            break
        assert "answered" in ended["last"]
        world.answer()
        again = world.me.call(loop_calls.run, "PostModelVersions", model="kind")
        assert not again["began"]
    assert ended["state"] == loop.DONE
    assert ended["rounds"]
    # Asked twice at once, it is played once.
    second = world.me.call(loop_calls.run, "PostModelVersions", **given)
    third = world.me.call(loop_calls.run, "PostModelVersions", **given)
    assert second["began"]
    assert not third["began"]
    assert second["loop"]["id"] == third["loop"]["id"]
    with world.server.store.read() as conn:
        app = apps.get(conn, world.client.user_id, "app")
        assert app is not None
        assert len(jobs.unfinished(conn, app.pk, "loop")) == 1
    assert world.me.call(loop_calls.stop, "PostModelVersions", loop=second["loop"]["id"])["stopped"]
    assert not world.me.call(loop_calls.stop, "PostModelVersions", loop=second["loop"]["id"])["stopped"]
    with pytest.raises(DoesNotExist):
        world.me.call(loop_calls.stop, "PostModelVersions", loop="nobody's")
    for wrong in ({"model": ""}, {"error": 0.9}, {"joint": "yes"}, {"rounds": 0}, {"concepts": [1]}):
        with pytest.raises(InvalidRequest):
            world.me.call(loop_calls.run, "PostModelVersions", **{**given, **wrong})


def test_what_can_not_be_begun(world: World) -> None:
    post_model(world.client, "groups", type_id="clusterer")
    with pytest.raises(ModelInvalidRequest, match="a clusterer, which learns no concepts"):
        world.begin(Params("groups"))
    with pytest.raises(ModelInvalidRequest, match="model id"):
        world.begin(Params("a b"))
    with pytest.raises(InvalidRequest, match="rounds is 0"):
        world.begin(Params("kind", rounds=0))
    with world.server.store.read() as conn:
        assert loops.listing(conn) == []
        assert concepts.page(conn, world.app.pk, offset=0, limit=9) == []


def test_a_training_that_ends_without_a_model_is_tried_again(world: World) -> None:
    row = world.begin()
    world.play(row, until=looper.JOB)
    with world.server.store.write() as conn:
        conn.execute(t.jobs.update().values(state="failed", message="no memory"))
    with pytest.raises(LabelwrightError, match=r"round 1, training: no memory\. The same command tries again"):
        world.step(row)
    assert world.play(row, until=looper.JOB).text == "training"


@pytest.mark.parametrize(("promise", "way"), [(0.0, loop.REST), (0.99, loop.ALL)])
def test_an_auto_label_is_revised_only_where_the_new_bound_is_better(client: Client, promise: float, way: str) -> None:
    world = World(client, unclear=1.1)
    row = world.begin(Params("kind", ("red", "green"), 0.25, 0.5, True, 10, 20, 2, 0, 2, 7))
    for _ in range(100):
        if world.row(row).rounds:
            break
        stand = world.step(row)
        if stand.what == looper.PEOPLE:
            world.answer()
        elif stand.what == looper.JOB:
            world.lane.turn()
    before = automatic(world)
    assert before
    now = world.row(row)
    # As if the first version had promised that.
    with world.server.store.write() as conn:
        assert loops.move(conn, now, cursor={**now.cursor, "promise": promise})
    world.play(row)
    second = world.rounds(row)[1]
    assert second.way == way
    asked = {i.input for i in world.drawn() if not (i.said or {}).get("carried")}
    after = automatic(world)
    stayed = {pk for pk, input_ in before.items() if input_ not in asked}
    with world.server.store.read() as conn:
        replaced = {one.before["id"] for one in conn.execute(select(t.journal.c.before))}
    if way == loop.REST:
        assert stayed
        assert stayed <= set(after)
        assert second.promise is not None
        assert 0 < second.promise <= 0.4
    else:
        assert not set(before) & set(after)
        assert set(before) <= replaced, "what was there before is in the journal of a run"


def automatic(world: World) -> dict[str, int]:
    """Id of an auto-label to its input's key."""
    a = t.annotations.c
    with world.server.store.read() as conn:
        rows = conn.execute(select(a.id, a.input).where(a.status_code == 24150, a.origin == t.MODEL))
        return {one.id: one.input for one in rows}
