"""Training a version, as a job: it goes on after a stop, and says how far it is."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog
from clarifai_grpc.grpc.api.resources_pb2 import Concept, ModelVersion
from sqlalchemy import Connection, Row
from sqlalchemy.exc import OperationalError

from labelwright.annotator.intake import Intake
from labelwright.annotator.lane import TURN, Lane
from labelwright.errors import (
    LabelwrightError,
    TrainingFailed,
    TrainingNoData,
    TrainingNoPositives,
    TrainingSingleClass,
    TrainingTimedOut,
)
from labelwright.store import apps, concepts, jobs, models, queue, trainings, workflows
from labelwright.store.engine import now
from labelwright.training import embedders, labels
from labelwright.training.params import Asked

log = structlog.get_logger("labelwright.train")

TRAINING, TRAINED, FAILED = 21101, 21100, 21106
"""The API's MODEL_TRAINING, MODEL_TRAINED, MODEL_TRAINING_FAILED."""

CODES = range(21106, 21120)
"""The API's codes for how a training can end otherwise."""

MAX_STRIKES = 3
"""Processes that a training may take down with it before it is given up."""

LOOK_EVERY = 0.1
"""Seconds between two looks whether a fit is to end."""
TELL_EVERY = 1.0
"""Seconds between two notes in the store of how far it is: clients ask every second or less often."""

CLUSTERER = "clusterer"
"""The type that learns from vectors alone."""

EMBEDDED = 0.3
"""The share of the progress shown that vectors are given, where some are missing."""


class _Ended(Exception):
    """The job is no longer ours: its version was deleted, or another process took it over."""


class _Stopped(Exception):
    """This process is to end, or it is another job's turn."""


class _Abandoned(Exception):
    """Raised within a fit that nobody waits for any more."""


@dataclass(slots=True)
class _State:
    """What one turn of a training works with."""

    job: Row[Any]
    app: Row[Any]
    version: Row[Any]
    """A row of `models.versions_by_pk`."""
    asked: Asked
    embedder: Row[Any]
    concepts: list[str]
    began: int
    """Microseconds."""
    stop: Callable[[], bool]
    until: float
    shown: int = 0
    told: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Made:
    """What came of a fit."""

    artifact: bytes
    folds: bytes | None
    """Arrays inputs (n,), labels (n, c), scores (n, c) as an npz; None for what is not scored."""
    report: dict[str, Any]
    inputs: list[int]


class Train:
    """Carries trainings forward."""

    def __init__(self, lane: Lane) -> None:
        self._store = lane.store
        self._blobs = lane.blobs
        self._intake = Intake(lane.settings, lane.blobs)

    def carry(self, job: Row[Any], stop: Callable[[], bool] = lambda: False, turn: float = TURN) -> None:
        """Go on with a claimed job until it ends, ``stop`` says so, or its turn is over; a fit is not cut off."""
        try:
            state = self._begin(job, stop, time.monotonic() + turn)
            self._embed(state)
            self._finish(state, self._fit(state))
        except _Stopped:
            pass
        except _Ended:
            self._tidy(job)
        except LabelwrightError as e:
            self._fail(job, e.code if e.code in CODES else FAILED, e.details or e.description)
        except OperationalError:
            # The store is away: who called waits for it, and gives the job back.
            raise
        except Exception as e:
            log.exception("a training failed", job=job.id)
            self._fail(job, FAILED, f"internal error ({type(e).__name__}: {e})"[:500])
        with self._store.write() as conn:
            queue.give_back(conn, job.lease)

    def _begin(self, job: Row[Any], stop: Callable[[], bool], until: float) -> _State:
        with self._store.read() as conn:
            training = trainings.get(conn, job.params["version"])
            if training is None:
                raise _Ended
            # Before anything else is read: what a process dies of may be that.
            if job.strikes > MAX_STRIKES:
                raise TrainingFailed(
                    f"the process that trained it died {job.strikes} times; the server's log says how (mostly it runs "
                    "out of memory): train on fewer labels, or give the server more"
                )
            asked = Asked.from_json(training.params)
            # Looked up beforehand: all labels are gone through for it, and nobody is to wait for that.
            wanted = list(asked.concepts)
            if not wanted and "began" not in job.cursor and self._needs_labels(conn, job):
                wanted = labels.concepts_with_positives(
                    conn, job.app, train_on_verified=asked.train_on_verified, people_only=asked.people_only
                )
        with self._store.write() as conn:
            app, version = self._held(conn, job)
            cursor = dict(job.cursor)
            embedder = self._embedder(conn, app, asked, cursor.get("embedder"))
            if "began" not in cursor:
                cursor |= {"began": now(), "embedder": embedder.pk}
                cursor["concepts"] = wanted
                jobs.advance(conn, job.pk, job.lease, cursor=cursor)
                trainings.note(conn, version.pk, f"training begins, with vectors of {_called(embedder)}", *asked.notes)
            elif job.strikes:
                trainings.note(conn, version.pk, "the process that trained it died; it is tried again")
            show(conn, version.pk, TRAINING, percent=max(1, job.done))
        return _State(
            job=job,
            app=app,
            version=version,
            asked=asked,
            embedder=embedder,
            concepts=cursor["concepts"],
            began=cursor["began"],
            stop=stop,
            until=until,
        )

    def _held(self, conn: Connection, job: Row[Any]) -> tuple[Row[Any], Row[Any]]:
        """The app and the version, locked as calls of people lock them."""
        app = apps.by_pk(conn, job.app)
        if app is None or apps.get(conn, app.user_id, app.id, lock=True) is None:
            raise _Ended
        # First of all: a job that was ended or taken over must write nothing more.
        if not jobs.advance(conn, job.pk, job.lease):
            raise _Ended
        pk = job.params["version"]
        version = models.versions_by_pk(conn, [pk]).get(pk)
        if version is None:
            raise _Ended
        return app, version

    @staticmethod
    def _needs_labels(conn: Connection, job: Row[Any]) -> bool:
        pk = job.params["version"]
        version = models.versions_by_pk(conn, [pk]).get(pk)
        return version is not None and version.model_type_id != CLUSTERER

    @staticmethod
    def _embedder(conn: Connection, app: Row[Any], asked: Asked, chosen: int | None) -> Row[Any]:
        pk = chosen or asked.embedder
        if not pk:
            return embedders.of_app(conn, app)
        found = models.versions_by_pk(conn, [pk]).get(pk)
        if found is None:
            raise TrainingFailed("the embedder that it was to learn from has been deleted; train with another")
        return found

    def _embed(self, state: _State) -> None:
        """Make the vectors that labelled inputs lack; where each was tried once, it goes on without."""
        with self._store.read() as conn:
            missing = self._examples(conn, state).missing.tolist() if state.concepts else []
            row = jobs.get(conn, state.job.id)
        cursor = dict(row.cursor if row is not None else state.job.cursor)
        left = [pk for pk in missing if pk > cursor.get("after", 0)]
        if not left:
            return
        making = embedders.Embedding(self._store, self._blobs, self._intake, state.app, state.embedder)
        for start in range(0, len(left), embedders.AT_ONCE):
            self._in_time(state)
            some = left[start : start + embedders.AT_ONCE]
            failed = making.make(some, stop=state.stop)
            if failed is None:
                raise _Stopped
            cursor["after"] = some[-1]
            cursor["failed"] = cursor.get("failed", 0) + len(failed)
            if failed and "example" not in cursor:
                cursor["example"] = next(iter(failed.values()))[:300]
            share = (start + len(some)) / len(left)
            with self._store.write() as conn:
                self._held(conn, state.job)
                jobs.advance(conn, state.job.pk, state.job.lease, cursor=cursor)
                self._tell(conn, state, EMBEDDED * share)
                if start + len(some) == len(left):
                    text = f"vectors were missing for {len(missing)} labelled inputs and have been made"
                    if cursor["failed"]:
                        text += f", save for {cursor['failed']}; one of them: {cursor.get('example', '')}"
                    trainings.note(conn, state.version.pk, text)
            if state.stop() or (time.monotonic() > state.until and start + len(some) < len(left)):
                raise _Stopped

    def _fit(self, state: _State) -> _Made:
        work = self._clusters(state) if state.version.model_type_id == CLUSTERER else self._head(state)
        made: list[_Made] = []
        broken: list[BaseException] = []
        leave = threading.Event()
        said: list[tuple[float, str]] = []

        def progress(share: float, text: str) -> None:
            if leave.is_set():
                raise _Abandoned
            said.append((share, text))

        def run() -> None:
            try:
                made.append(work(progress))
            except _Abandoned:
                pass
            except Exception as e:  # noqa: BLE001 (raised again by who waits)
                broken.append(e)

        # A thread, and no process: its data need not be copied, and one that is abandoned ends at its next word.
        thread = threading.Thread(target=run, name="fit", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(LOOK_EVERY)
                if state.stop():
                    raise _Stopped
                self._in_time(state)
                if said and time.monotonic() - state.told > TELL_EVERY:
                    with self._store.write() as conn:
                        self._held(conn, state.job)
                        self._tell(conn, state, EMBEDDED + (1 - EMBEDDED) * said[-1][0], said[-1][1])
                elif time.monotonic() - state.told > TELL_EVERY:
                    state.told = time.monotonic()
                    with self._store.write() as conn:
                        self._held(conn, state.job)
        finally:
            leave.set()
        if broken:
            raise broken[0]
        state.notes += list(dict.fromkeys(text for _, text in said if text))
        return made[0]

    def _head(self, state: _State) -> Callable[[Callable[[float, str], None]], _Made]:
        from labelwright.training import heads

        asked = state.asked
        with self._store.read() as conn:
            found = self._examples(conn, state)
        _refuse(state, found)
        state.notes.append(
            f"{len(found.inputs)} inputs with labels of {len(state.concepts)} concepts, vectors of "
            f"{found.vectors.shape[1]} numbers"
        )

        def work(progress: Callable[[float, str], None]) -> _Made:
            fitted = heads.fit(
                found.vectors,
                found.labels,
                exclusive=asked.exclusive,
                error=asked.error,
                kinds=asked.kinds,
                seed=asked.seed,
                progress=progress,
            )
            report = dict(fitted.report) | {
                "kind": fitted.head.kind,
                "inputs": len(found.inputs),
                "labels": _counts(state, found),
            }
            folds = pack_folds(found.inputs, found.labels, fitted.out_of_fold)
            return _Made(fitted.head.to_bytes(), folds, report, found.inputs.tolist())

        return work

    @staticmethod
    def _examples(conn: Connection, state: _State) -> labels.Labelled:
        asked, embedder = state.asked, state.embedder.id
        return labels.examples(
            conn,
            state.app.pk,
            state.concepts,
            embedder,
            exclusive=asked.exclusive,
            closed=asked.closed,
            train_on_verified=asked.train_on_verified,
            people_only=asked.people_only,
        )

    def _clusters(self, state: _State) -> Callable[[Callable[[float, str], None]], _Made]:
        from labelwright.training import clusters

        with self._store.read() as conn:
            inputs, vectors = labels.all_vectors(conn, state.app.pk, state.embedder.id)
        if not len(inputs):
            raise TrainingNoData(
                f"the app has no input with a vector of {_called(state.embedder)}; add inputs, and wait until the "
                "default workflow has processed some"
            )

        def work(progress: Callable[[float, str], None]) -> _Made:
            made = clusters.fit(
                vectors, clusters=state.asked.clusters or None, seed=state.asked.seed, progress=progress
            )
            report = {"kind": "clusters", "clusters": len(made.centres), "inputs": len(inputs)}
            return _Made(made.to_bytes(), None, report, inputs.tolist())

        return work

    def _finish(self, state: _State, made: _Made) -> None:
        app, version = state.job.app, state.version.pk
        key, folds = trainings.head_key(app, version), trainings.folds_key(app, version)
        # Before the transaction that names them; after a kill between the two they are written over.
        self._blobs.put_many([(key, made.artifact), *([(folds, made.folds)] if made.folds is not None else [])])
        with self._store.write() as conn:
            row, _ = self._held(conn, state.job)
            trainings.note(conn, version, *state.notes, "trained")
            report = made.report | {"folds": folds if made.folds is not None else ""}
            params = state.asked.to_json() | {"embedder": state.embedder.pk}
            trainings.change(conn, version, artifact=key, embedder=state.embedder.id, report=report, params=params)
            trainings.saw(conn, version, made.inputs)
            show(
                conn,
                version,
                TRAINED,
                percent=100,
                concepts=_named(conn, row, state.concepts),
                inputs=len(made.inputs),
                completed=now(),
            )
            # Plans that were made without its arrays are no good any more.
            workflows.bump_users_of(conn, versions=[version])
            jobs.advance(conn, state.job.pk, state.job.lease, done=100)
            jobs.end(conn, state.job.pk, jobs.COMPLETED)
        log.info("trained", app=state.app.id, model=state.version.model_id, inputs=len(made.inputs))

    def _fail(self, job: Row[Any], code: int, details: str) -> None:
        try:
            with self._store.write() as conn:
                _, version = self._held(conn, job)
                trainings.note(conn, version.pk, f"it ended without a model: {details}")
                show(conn, version.pk, code, details=details, completed=now())
                jobs.end(conn, job.pk, jobs.BROKEN, details)
        except _Ended:
            self._tidy(job)

    def _tidy(self, job: Row[Any]) -> None:
        """Remove what was kept for a version that is not there any more."""
        with self._store.read() as conn:
            gone = not models.versions_of(conn, [job.params["version"]])
        if gone:
            for key in (trainings.head_key, trainings.folds_key):
                with contextlib.suppress(LabelwrightError):
                    self._blobs.delete(key(job.app, job.params["version"]))

    def _in_time(self, state: _State) -> None:
        if state.asked.timeout and now() - state.began > state.asked.timeout * 1_000_000:
            raise TrainingTimedOut(
                f"it took longer than its training_timeout of {state.asked.timeout} s; allow more, or train fewer "
                "concepts"
            )

    def _tell(self, conn: Connection, state: _State, share: float, text: str = "") -> None:
        """Note how far it is, within a transaction that holds the job."""
        state.told = time.monotonic()
        percent = min(99, max(1, int(100 * share)))
        if percent != state.shown:
            state.shown = percent
            jobs.advance(conn, state.job.pk, state.job.lease, done=percent, message=text[:300])
            show(conn, state.version.pk, TRAINING, percent=percent, details=text[:300])


def show(
    conn: Connection,
    pk: int,
    code: int,
    *,
    percent: int = 0,
    details: str = "",
    concepts: list[Concept] | None = None,
    inputs: int = 0,
    completed: int = 0,
) -> None:
    """Write into a version how its training stands, so that whoever shows it needs nothing else.

    Args:
        completed: microseconds; 0: it has not ended.
    """
    row = models.versions_of(conn, [pk])[pk]
    wire = ModelVersion.FromString(row.wire)
    wire.status.Clear()
    wire.status.code, wire.status.details, wire.status.percent_completed = code, details, percent
    if concepts is not None:
        del wire.output_info.data.concepts[:]
        wire.output_info.data.concepts.extend(concepts)
    if inputs:
        wire.total_input_count = inputs
    if completed:
        wire.completed_at.FromMicroseconds(completed)
    models.change_version(conn, pk, status_code=code, wire=wire.SerializeToString(deterministic=True))


def pack_folds(inputs: Any, truth: Any, scores: Any) -> bytes:
    """What a version said in cross-validation of what it learned from, as the bytes of an npz."""
    out = io.BytesIO()
    np.savez_compressed(out, inputs=inputs, labels=truth, scores=np.asarray(scores, np.float32))
    return out.getvalue()


def _refuse(state: _State, found: labels.Labelled) -> None:
    called = _called(state.embedder)
    if not state.concepts or not (len(found.inputs) or len(found.missing)):
        raise TrainingNoData(
            f"no input is labelled with {_listed(state.concepts) or 'any concept'}; post annotations, or accept some "
            "in review, and train again"
        )
    if not len(found.inputs):
        raise TrainingNoData(
            f"none of the {len(found.missing)} labelled inputs has a vector of {called}: it takes images; label "
            "images, or put an embedder for what you have into the default workflow"
        )
    without = [c for c, column in zip(state.concepts, found.labels.T, strict=True) if not (column == 1).any()]
    if without:
        raise TrainingNoPositives(
            f"no input with a vector shows {_listed(without)}; label at least one as positive, or leave it out of the "
            "version's concepts"
        )
    if state.asked.exclusive and len(state.concepts) == 1:
        raise TrainingSingleClass(
            f"concepts_mutually_exclusive needs two concepts or more, and {state.concepts[0]!r} is the only one; name "
            "another, or leave concepts_mutually_exclusive out"
        )


def _counts(state: _State, found: labels.Labelled) -> dict[str, list[int]]:
    """Concept id to its numbers of positive and negative examples."""
    return {
        c: [int((column == 1).sum()), int((column == 0).sum())]
        for c, column in zip(state.concepts, found.labels.T, strict=True)
    }


def _named(conn: Connection, app: Row[Any], ids: list[str]) -> list[Concept]:
    rows = concepts.by_ids(conn, app.pk, ids)
    return [Concept(id=i, name=rows[i].name if i in rows else i, app_id=app.id, user_id=app.user_id) for i in ids]


def _called(embedder: Row[Any]) -> str:
    return f"{embedder.user_id}/{embedder.app_id}/{embedder.model_name}"


def _listed(ids: list[str]) -> str:
    shown = ", ".join(repr(i) for i in ids[:10])
    return f"{shown} and {len(ids) - 10} more" if len(ids) > 10 else shown
