"""What runs write, replace and take back, and that a person's word stands above it; on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from clarifai_grpc.grpc.api.resources_pb2 import BoundingBox, Concept, Data, Region, RegionInfo
from sqlalchemy import delete, func, select, update

from labelwright.annotator import batch
from labelwright.annotator.commit import Drafted, Made, Written, commit_batch
from labelwright.annotator.labels import put_together, take_apart
from labelwright.annotator.rerun import Rerun
from labelwright.annotator.undo import Undone, undo
from labelwright.errors import DoesNotExist, InputFailed, LabelwrightError
from labelwright.operators.values import Draft
from labelwright.store import annotations as stored
from labelwright.store import apps, concepts, inputs, jobs, labels, queue, runs
from labelwright.store import tables as t
from labelwright.store.annotations import Change, NewAnnotation, NewConcept, Rejection
from labelwright.store.engine import Store
from labelwright.workflows.engine import Plan
from tests.integration.test_queue import HERE, add_inputs, claim, new_app

SUCCESS, PENDING = 24150, 24151
Box = tuple[float, float, float, float]
HERE_BOX, THERE_BOX = (0.0, 0.0, 0.25, 0.25), (0.5, 0.5, 1.0, 1.0)


def whole(*pairs: tuple[str, float]) -> Data:
    return Data(concepts=[Concept(id=i, name=i, value=v) for i, v in pairs])


def regions(*boxes: tuple[Box, str, float]) -> Data:
    return Data(
        regions=[
            Region(
                region_info=RegionInfo(
                    bounding_box=BoundingBox(top_row=b[0], left_col=b[1], bottom_row=b[2], right_col=b[3])
                ),
                data=whole((concept, value)),
            )
            for b, concept, value in boxes
        ]
    )


def draft(data: Data, status: int = SUCCESS) -> Drafted:
    return Drafted(Draft(data, status, "owner", {"why": "test"}), "model-version", "writer")


@dataclass
class World:
    """An app whose workflow says whatever a test wants it to."""

    store: Store
    pks: list[int]
    app: Any
    says: dict[int, Made] = field(default_factory=dict)
    version: str = "v1"

    def default(self, _conn: Any = None, _app: Any = None) -> Plan:
        return Plan("workflow", self.version, ())

    def ingest(self) -> Written:
        """Label whatever waits."""
        claimed = claim(self.store, self.app.pk, 4096)
        assert claimed is not None
        with self.store.write() as conn:
            return commit_batch(conn, self.app, claimed, self.default(), self.made(claimed.inputs))

    def made(self, rows: Any) -> dict[int, Made]:
        return {row.pk: self.says.get(row.pk, Made()) for row in rows}

    def rerun(self, *, missing: bool = False, limit: int = 2, turn: float = 60, stop: Any = lambda: False) -> str:
        """Run over the app again; returns the job's id."""
        with self.store.write() as conn:
            job_id = jobs.add(conn, self.app.pk, kind="rerun", params={"missing": missing})
        self.carry(job_id, limit=limit, turn=turn, stop=stop)
        return job_id

    def carry(self, job_id: str, *, limit: int = 2, turn: float = 60, stop: Any = lambda: False) -> None:
        carrier = Rerun(self.store, cast(Any, None), limit)
        carrier._plans = cast(Any, SimpleNamespace(default=self.default))
        with self.store.write() as conn:
            job = jobs.claim(conn, HERE, seconds=30, job_id=job_id)
        assert job is not None
        carrier.carry(job, stop=stop, turn=turn)

    def job(self, job_id: str) -> Any:
        with self.store.read() as conn:
            return jobs.get(conn, job_id)

    def run_id(self, kind: str = runs.RERUN) -> str:
        """The newest run of a kind."""
        with self.store.read() as conn:
            return next(str(r.id) for r in runs.page(conn, self.app.pk) if r.kind == kind)

    def undo(self, run_id: str) -> tuple[int, int, int]:
        done: Undone = undo(self.store, run_id)
        return done.removed, done.restored, done.left

    def labels(self) -> list[tuple[Any, ...]]:
        """Everything that is said, in a form that can be compared: with ids, scores and where it comes from."""
        with self.store.read() as conn:
            rows = list(conn.execute(select(t.annotations).where(t.annotations.c.app == self.app.pk)))
            found = labels.concepts_of(conn, [r.pk for r in rows])
        kept = [c.name for c in t.annotations.c if c.name not in ("pk", "created_at", "modified_at", "annotation_info")]
        return sorted(
            (
                *(getattr(r, name) for name in kept),
                str(r.annotation_info),
                tuple((c.slot, c.concept_id, c.value, c.score) for c in found.get(r.pk, [])),
            )
            for r in rows
        )

    def said(self) -> set[tuple[int, str, float]]:
        """Input, concept and value of everything that is said."""
        query = (
            select(t.annotations.c.input, t.concepts.c.id, t.annotation_concepts.c.value)
            .join_from(t.annotations, t.annotation_concepts)
            .join(t.concepts, t.concepts.c.pk == t.annotation_concepts.c.concept)
            .where(t.annotations.c.app == self.app.pk)
        )
        with self.store.read() as conn:
            rows = [(r.input, r.id, round(r.value, 4)) for r in conn.execute(query)]
        assert len(rows) == len(set(rows)), "something is said twice"
        return set(rows)

    def inputs(self) -> dict[int, tuple[int, str | None]]:
        with self.store.read() as conn:
            rows = conn.execute(select(t.inputs).where(t.inputs.c.app == self.app.pk))
            return {r.pk: (r.status_code, r.workflow_version_id) for r in rows}

    def person_posts(self, pk: int, data: Data) -> None:
        wire, found = take_apart(data)
        with self.store.write() as conn:
            key = concepts.ensure(conn, self.app.pk, {f.concept_id: "" for f in found})
            given = [NewConcept(key[f.concept_id], f.value, None, f.slot) for f in found]
            stored.add(conn, self.app.pk, [NewAnnotation(pk, "owner", SUCCESS, t.PERSON, wire, given)])

    def person_confirms(self, pk: int) -> None:
        """What stands on an input as the models' becomes a person's."""
        with self.store.write() as conn:
            rows = [r for r in labels.of_inputs(conn, [pk]) if r.origin == t.MODEL]
            found = labels.concepts_of(conn, [r.pk for r in rows])
            changes = [
                Change(
                    pk=r.pk,
                    status_code=SUCCESS,
                    origin=t.CONFIRMED,
                    listed=True,
                    task_id="",
                    annotation_info=None,
                    wire=r.wire,
                    concepts=[NewConcept(c.concept, 1.0, c.score, c.slot) for c in found[r.pk]],
                )
                for r in rows
            ]
            stored.change(conn, changes)

    def person_rejects(self, pk: int, concept: str, box: Box | None = None) -> None:
        """A person deletes what a model said."""
        with self.store.write() as conn:
            key = concepts.keys(conn, self.app.pk, [concept])[concept]
            place = Data()
            if box is not None:
                at = place.regions.add().region_info.bounding_box
                at.top_row, at.left_col, at.bottom_row, at.right_col = box
            slot = -1 if box is None else 0
            stored.reject(conn, [Rejection(pk, key, place.SerializeToString(), slot, "owner")])
            mine = select(t.annotation_concepts.c.annotation).where(t.annotation_concepts.c.concept == key)
            conn.execute(
                delete(t.annotations).where(
                    t.annotations.c.input == pk, t.annotations.c.origin == t.MODEL, t.annotations.c.pk.in_(mine)
                )
            )


@pytest.fixture
def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    app = new_app(store)
    pks = add_inputs(store, app, 5)
    with store.read() as conn:
        row = apps.by_pk(conn, app)
    made = World(store, pks, row)

    def make(_plan: Plan, _app: int, rows: Any, _intake: Any, stop: Any) -> dict[int, Made] | None:
        return None if stop() else made.made(rows)

    monkeypatch.setattr(batch, "make", make)
    return made


def versions(world: World) -> None:
    """v1 has labelled all; v2 would say something else."""
    world.says = {pk: Made([draft(whole(("old", 0.5), ("both", 0.25)))]) for pk in world.pks}
    world.ingest()
    world.version = "v2"
    world.says = {pk: Made([draft(whole(("new", 0.75), ("both", 0.625)))]) for pk in world.pks}


def v1(*pks: int) -> set[tuple[int, str, float]]:
    return {said for pk in pks for said in ((pk, "old", 0.5), (pk, "both", 0.25))}


def v2(*pks: int) -> set[tuple[int, str, float]]:
    return {said for pk in pks for said in ((pk, "new", 0.75), (pk, "both", 0.625))}


# --- a claimed batch -------------------------------------------------------------------------------


def test_a_batch_is_written_with_its_statuses_and_its_run(world: World) -> None:
    a, b, c, d, e = world.pks
    vector = np.arange(3, dtype=np.float32)
    world.says = {
        a: Made([draft(whole(("x", 0.5))), draft(whole(("y", 0.25)), PENDING)], {"embedder": vector}),
        b: Made(error=InputFailed("no such thing")),
        c: Made(),
    }
    claimed = claim(world.store, world.app.pk, 4)
    assert claimed is not None
    with world.store.write() as conn:
        # One is deleted while it is worked on.
        gone = conn.execute(select(t.inputs.c.id).where(t.inputs.c.pk == d)).scalar_one()
        inputs.remove(conn, world.app.pk, [gone])
    with world.store.write() as conn:
        written = commit_batch(conn, world.app, claimed, world.default(), world.made(claimed.inputs))
    assert written == Written(wrote=2, replaced=0, gone=(d,), labelled=2, failed=1)
    assert world.inputs() == {
        a: (t.DONE, "v1"),
        b: (t.FAILED, None),
        c: (t.DONE, "v1"),
        e: (t.PENDING, None),
    }
    assert world.said() == {(a, "x", 0.5), (a, "y", 0.25)}
    with world.store.read() as conn:
        (run,) = runs.page(conn, world.app.pk)
        assert (run.kind, run.inputs, run.wrote, run.replaced) == (runs.INGEST, 2, 2, 0)
        rows = labels.of_inputs(conn, [a])
        assert {(r.origin, r.model_version_id, r.workflow_version_id, r.run) for r in rows} == {
            (t.MODEL, "model-version", "v1", run.pk)
        }
        found = conn.execute(select(t.embeddings.c.vector).where(t.embeddings.c.input == a)).scalar_one()
        assert np.frombuffer(found, "<f4").tolist() == [0, 1, 2]
        assert conn.execute(select(func.count()).select_from(t.leases)).scalar() == 0


def test_who_lost_the_lease_writes_nothing(world: World) -> None:
    world.says = {pk: Made([draft(whole(("x", 0.5)))]) for pk in world.pks}
    slow = claim(world.store, world.app.pk)
    assert slow is not None
    with world.store.write() as conn:
        queue.give_back(conn, slow.lease)
    world.ingest()
    with world.store.write() as conn:
        inputs.remove(conn, world.app.pk, [slow.inputs[0].id])
    before = world.labels()
    with world.store.write() as conn:
        written = commit_batch(conn, world.app, slow, world.default(), world.made(slow.inputs))
    # What another worker took over is not gone: its media has the same key.
    assert written == Written(wrote=0, replaced=0, gone=(slow.inputs[0].pk,))
    assert world.labels() == before
    assert set(world.inputs().values()) == {(t.DONE, "v1")}


def test_what_a_person_has_said_is_neither_doubled_nor_contradicted(world: World) -> None:
    yes, no, rejected, boxed, other = world.pks
    with world.store.write() as conn:
        concepts.ensure(conn, world.app.pk, {"x": "", "y": ""})
    world.person_posts(yes, whole(("x", 1.0)))
    world.person_posts(no, whole(("x", 0.0)))
    world.person_rejects(rejected, "x")
    world.person_posts(boxed, regions((HERE_BOX, "x", 1.0)))
    world.says = {pk: Made([draft(whole(("x", 0.5))), draft(whole(("y", 0.5)))]) for pk in world.pks}
    world.says[boxed] = Made([draft(regions((HERE_BOX, "x", 0.5), (THERE_BOX, "x", 0.75), (HERE_BOX, "y", 0.5)))])
    world.ingest()
    assert world.said() == {
        (yes, "x", 1.0),
        (yes, "y", 0.5),
        (no, "x", 0.0),
        (no, "y", 0.5),
        (rejected, "y", 0.5),
        (boxed, "x", 1.0),
        (boxed, "x", 0.75),
        (boxed, "y", 0.5),
        (other, "x", 0.5),
        (other, "y", 0.5),
    }


# --- re-runs ---------------------------------------------------------------------------------------


def test_a_rerun_replaces_what_an_older_version_said(world: World) -> None:
    versions(world)
    job = world.job(world.rerun())
    assert (job.state, job.total, job.done, job.failed) == (jobs.COMPLETED, 5, 5, 0)
    assert world.said() == v2(*world.pks)
    assert set(world.inputs().values()) == {(t.DONE, "v2")}
    with world.store.read() as conn:
        run = runs.get(conn, world.run_id())
        assert (run.inputs, run.wrote, run.replaced, run.workflow_version_id) == (5, 5, 5, "v2")
        assert conn.execute(select(func.count()).select_from(t.leases)).scalar() == 0


def test_a_rerun_keeps_what_people_said(world: World) -> None:
    posted, confirmed, negative, rejected, plain = world.pks
    versions(world)
    world.person_posts(posted, whole(("new", 1.0)))
    world.person_confirms(confirmed)
    world.person_posts(negative, whole(("new", 0.0)))
    world.person_rejects(rejected, "both")
    world.rerun()
    assert world.said() == {
        (posted, "new", 1.0),
        (posted, "both", 0.625),
        (confirmed, "old", 1.0),
        (confirmed, "both", 1.0),
        (confirmed, "new", 0.75),
        (negative, "new", 0.0),
        (negative, "both", 0.625),
        (rejected, "new", 0.75),
        *v2(plain),
    }


def test_an_input_that_fails_again_keeps_its_labels(world: World) -> None:
    failing, *others = world.pks
    versions(world)
    world.says[failing] = Made([], {}, LabelwrightError("no"))
    job = world.job(world.rerun())
    assert (job.state, job.done, job.failed) == (jobs.COMPLETED, 5, 1)
    assert world.said() == v1(failing) | v2(*others)
    assert world.inputs()[failing] == (t.DONE, "v1")


def test_missing_takes_only_what_the_newest_version_has_not_labelled(world: World) -> None:
    old = world.pks
    versions(world)
    new = add_inputs(world.store, world.app.pk, 3)
    world.says |= {pk: Made([draft(whole(("new", 0.75), ("both", 0.625)))]) for pk in new}
    world.ingest()
    before = {label for label in world.labels() if label[1] in new}
    job = world.job(world.rerun(missing=True))
    assert (job.state, job.total, job.done) == (jobs.COMPLETED, 5, 5)
    assert world.said() == v2(*old, *new)
    assert before <= set(world.labels())
    assert world.job(world.rerun(missing=True)).total == 0


def test_inputs_that_wait_or_came_later_are_left_to_the_annotators(world: World) -> None:
    versions(world)
    waiting = add_inputs(world.store, world.app.pk, 1)
    job_id = world.rerun(limit=2, turn=0)
    later = add_inputs(world.store, world.app.pk, 1)
    while world.job(job_id).state != jobs.COMPLETED:
        world.carry(job_id)
    assert world.job(job_id).done == 5
    states = world.inputs()
    assert [states[pk] for pk in waiting + later] == [(t.PENDING, None)] * 2


def test_a_rerun_that_is_stopped_goes_on_where_it_was(world: World) -> None:
    versions(world)
    job_id = world.rerun(limit=2, turn=0)
    job = world.job(job_id)
    assert (job.state, job.done, job.lease) == (jobs.QUEUED, 2, None)
    assert world.said() == v2(*world.pks[:2]) | v1(*world.pks[2:])
    world.carry(job_id, stop=lambda: True)
    assert world.job(job_id).done == 2
    world.carry(job_id)
    assert (world.job(job_id).state, world.job(job_id).done) == (jobs.COMPLETED, 5)
    assert world.said() == v2(*world.pks)
    with world.store.read() as conn:
        assert [r.kind for r in runs.page(conn, world.app.pk)] == [runs.RERUN, runs.INGEST]


def test_a_rerun_whose_job_was_taken_over_writes_nothing_more(world: World) -> None:
    versions(world)

    def taken() -> bool:
        """Another process gets the job while this one's models run, and carries it to its end."""
        with world.store.write() as conn:
            (job,) = jobs.unfinished(conn, world.app.pk, "rerun")
            if job.done:
                return False
            queue.take_away(conn, job.lease)
        world.carry(job.id)
        return False

    job_id = world.rerun(stop=taken)
    job = world.job(job_id)
    assert (job.state, job.done) == (jobs.COMPLETED, 5)
    with world.store.read() as conn:
        run = runs.get(conn, world.run_id())
    assert (run.wrote, run.replaced) == (5, 5)
    assert world.said() == v2(*world.pks)
    assert world.undo(run.id) == (5, 5, 0)
    assert world.said() == v1(*world.pks)


def test_a_rerun_of_a_workflow_that_changed_meanwhile_ends(world: World) -> None:
    versions(world)
    job_id = world.rerun(turn=0)
    world.version = "v3"
    world.carry(job_id)
    job = world.job(job_id)
    assert job.state == jobs.BROKEN
    assert "changed while it was under way" in job.message


def test_an_input_that_kills_reruns_is_found_and_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    versions(world)
    deadly = world.pks[3]
    tried: list[list[int]] = []

    class Died(BaseException):
        pass

    def make(_plan: Plan, _app: int, rows: Any, _intake: Any, stop: Any) -> Mapping[int, Made]:
        tried.append([r.pk for r in rows])
        if deadly in tried[-1]:
            raise Died
        return world.made(rows)

    monkeypatch.setattr(batch, "make", make)
    with world.store.write() as conn:
        job_id = jobs.add(conn, world.app.pk, kind="rerun", params={})
    while world.job(job_id).state != jobs.COMPLETED:
        try:
            world.carry(job_id, limit=4)
        except Died:
            with world.store.write() as conn:
                queue.take_away(conn, world.job(job_id).lease)
    alone = [pks for pks in tried if deadly in pks and len(pks) == 1]
    assert 3 <= len(alone) <= 4
    assert world.said() == v1(deadly) | v2(*(pk for pk in world.pks if pk != deadly))
    assert (world.job(job_id).done, world.job(job_id).failed) == (5, 1)


# --- undo ------------------------------------------------------------------------------------------


def test_undo_of_a_rerun_puts_the_old_labels_back_exactly(world: World) -> None:
    versions(world)
    before = world.labels()
    world.rerun()
    assert world.undo(world.run_id()) == (5, 5, 0)
    assert world.labels() == before
    # What no version has labelled is what `rerun --missing` takes.
    assert set(world.inputs().values()) == {(t.DONE, None)}
    assert world.undo(world.run_id()) == (0, 0, 0)
    assert world.labels() == before


def test_undo_of_an_ingest_run_removes_its_labels(world: World) -> None:
    versions(world)
    assert world.undo(world.run_id(runs.INGEST)) == (5, 0, 0)
    assert world.said() == set()
    # What is added now belongs to a run of its own, which can be taken back by itself.
    (pk,) = add_inputs(world.store, world.app.pk, 1)
    world.says[pk] = Made([draft(whole(("new", 0.75)))])
    world.version = "v1"
    world.ingest()
    assert world.said() == {(pk, "new", 0.75)}
    assert world.undo(world.run_id(runs.INGEST)) == (1, 0, 0)


def test_undo_leaves_what_people_touched_and_does_not_say_it_against_them(world: World) -> None:
    confirmed, posted, rejected, *plain = world.pks
    versions(world)
    world.rerun()
    world.person_confirms(confirmed)
    world.person_posts(posted, whole(("old", 1.0)))
    world.person_rejects(rejected, "both")
    # One confirmed of the run; of the old ones, one is confirmed in part only and still comes back so.
    assert world.undo(world.run_id()) == (3, 5, 1)
    expected = {
        (confirmed, "new", 1.0),
        (confirmed, "both", 1.0),
        (confirmed, "old", 0.5),
        (posted, "old", 1.0),
        (posted, "both", 0.25),
        (rejected, "old", 0.5),
        *v1(*plain),
    }
    assert world.said() == expected
    assert world.undo(world.run_id()) == (0, 0, 1)
    assert world.said() == expected


def test_undo_counts_an_old_label_whose_place_is_filled(world: World) -> None:
    filled, *_ = world.pks
    versions(world)
    world.rerun()
    world.person_posts(filled, whole(("old", 1.0), ("both", 1.0)))
    assert world.undo(world.run_id()) == (5, 4, 1)
    assert world.said() == {(filled, "old", 1.0), (filled, "both", 1.0), *v1(*world.pks[1:])}


def test_regions_that_come_back_keep_their_own_scores(world: World) -> None:
    pk, *_ = world.pks
    middle = (0.25, 0.5, 0.5, 0.75)
    world.says = {pk: Made([draft(regions((HERE_BOX, "x", 0.5), (middle, "x", 0.25), (THERE_BOX, "x", 0.75)))])}
    world.ingest()
    world.version, world.says = "v2", {}
    world.rerun()
    assert world.said() == set()
    world.person_rejects(pk, "x", HERE_BOX)
    assert world.undo(world.run_id()) == (0, 1, 0)
    with world.store.read() as conn:
        (row,) = labels.of_inputs(conn, [pk])
        found = labels.concepts_of(conn, [row.pk])[row.pk]
    data = put_together(row.wire, [(c.slot, Concept(id=c.concept_id, value=c.value)) for c in found])
    tops = [(r.region_info.bounding_box.top_row, r.data.concepts[0].value) for r in data.regions]
    assert tops == [(0.25, 0.25), (0.5, 0.75)]
    assert [c.score for c in found] == [0.25, 0.75]


def test_undo_in_the_middle_doubles_nothing_and_loses_nothing(world: World) -> None:
    versions(world)
    oldest = world.labels()
    world.rerun()
    second = world.run_id()
    world.version = "v3"
    world.says = {pk: Made([draft(whole(("third", 0.5)))]) for pk in world.pks}
    world.rerun()
    third = world.run_id()
    newest = world.labels()
    assert world.undo(second) == (0, 0, 0)
    assert world.labels() == newest
    assert world.undo(third)[:2] == (5, 5)
    assert world.labels() == oldest


def test_what_an_undone_run_wrote_does_not_come_back_with_another(world: World) -> None:
    versions(world)
    first = world.run_id(runs.INGEST)
    world.rerun()
    assert world.undo(first) == (0, 0, 0)
    assert world.said() == v2(*world.pks)
    assert world.undo(world.run_id()) == (5, 0, 0)
    assert world.said() == set()


def test_undo_of_a_rerun_that_is_under_way_ends_it(world: World) -> None:
    versions(world)
    before = world.labels()

    def undone() -> bool:
        if len(world.said() & v2(*world.pks)) == 4:
            world.undo(world.run_id())
        return False

    job = world.job(world.rerun(stop=undone))
    assert (job.state, job.message) == (jobs.BROKEN, "its run was undone")
    assert world.labels() == before


def test_a_concept_that_is_gone_does_not_stop_an_undo(world: World) -> None:
    versions(world)
    world.rerun()
    with world.store.write() as conn:
        conn.execute(delete(t.concepts).where(t.concepts.c.app == world.app.pk, t.concepts.c.id == "old"))
    assert world.undo(world.run_id()) == (5, 5, 0)
    assert world.said() == {(pk, "both", 0.25) for pk in world.pks}


def test_a_run_is_named_by_its_id_or_enough_of_it(world: World) -> None:
    versions(world)
    run_id = world.run_id(runs.INGEST)
    with world.store.write() as conn:
        assert runs.get(conn, run_id[:6]).id == run_id
        with pytest.raises(DoesNotExist, match="first 6 characters"):
            runs.get(conn, run_id[:5])
        with pytest.raises(DoesNotExist, match="`labelwright runs` lists them"):
            runs.get(conn, "no-such-run")
        with pytest.raises(DoesNotExist, match="there is no run '______'"):
            runs.get(conn, "______")
        other = runs.add(conn, world.app.pk, runs.RERUN, "v1")
        conn.execute(update(t.runs).where(t.runs.c.pk == other.pk).values(id=run_id[:8] + "other"))
        with pytest.raises(DoesNotExist, match="more than one run begins"):
            runs.get(conn, run_id[:8])
        assert runs.get(conn, run_id).id == run_id


def test_an_undo_that_was_stopped_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelwright.annotator.undo.CHUNK", 2)
    versions(world)
    before = world.labels()
    world.rerun()
    told: list[int] = []

    def stop(count: int) -> None:
        told.append(count)
        if len(told) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undo(world.store, world.run_id(), stop)
    assert told == [2, 2, 1, 0, 2]
    assert world.undo(world.run_id()) == (0, 3, 0)
    assert world.labels() == before
