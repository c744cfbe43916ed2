"""Evaluating a model version, as a job: on the labels that it learned from, cross-validated, or by running it.

A version that was trained here is judged by folds: each input's scores come from a head that was fitted without it.
Of any other version, and where inputs are named, the scores are what it says of labelled inputs now. What it learned
from is no evidence then and is left out, as is what models have labelled: a model that is measured by its own words
is always right.
"""

from __future__ import annotations

import io
import random
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import structlog
from clarifai_grpc.grpc.api.resources_pb2 import Data, OutputConfig, OutputInfo
from sqlalchemy import Connection, Row
from sqlalchemy.exc import OperationalError

from labelwright.annotator.lane import TURN, Lane
from labelwright.annotator.plans import output_info
from labelwright.annotator.predict import Forecaster, Task, tasks_inputs
from labelwright.errors import EvaluationNeedsLabels, InputDoesNotExist, LabelwrightError, ModelDoesNotExist
from labelwright.store import concepts as stored_concepts
from labelwright.store import evaluations, jobs, models, queue, training_labels, trainings
from labelwright.store import inputs as stored_inputs
from labelwright.training.evaluation import evaluate
from labelwright.training.evaluation_record import record, summary
from labelwright.training.labels import Floats, concepts_with_labels, examples, labels_of
from labelwright.training.params import Asked

T = TypeVar("T")

log = structlog.get_logger("labelwright.evaluation")

EVALUATED, EVALUATING, QUEUED, FAILED = 21300, 21301, 21303, 21317
"""Codes of the status of an evaluation."""

FIRST_ERROR = 21310
"""From here on the codes are errors."""

LOOK_EVERY = 0.2
"""Seconds between two looks at whether to stop."""

MOST = 10_000
"""Inputs that a version is run on. More are drawn from at random: a share of 1 % is then known to 0.2 points."""

EVERYTHING = OutputInfo(output_config=OutputConfig(min_value=1e-9))
"""Low scores are no predictions in a workflow, but they are points of a curve."""


@dataclass(slots=True)
class Scored:
    """What is measured: rows of scores and labels."""

    inputs: list[int]
    """Their keys."""
    scores: Floats
    """(n, c)"""
    labels: Floats
    """(n, c)"""
    concepts: list[str]
    """(c,) ids"""
    about: dict[str, Any] = field(default_factory=dict)
    """How it was done, for whoever reads the result."""


@dataclass(slots=True)
class Under:
    """An evaluation by running the model, under way in this process."""

    inputs: list[int]
    labels: Floats
    concepts: list[str]
    about: dict[str, Any]
    next: int = 0
    scores: dict[int, dict[str, float]] = field(default_factory=dict)
    """Row to the concepts that were said."""
    errors: list[str] = field(default_factory=list)


class Evaluate:
    """Carries evaluations. One that its process did not live to end begins anew; a turn's end does not lose it."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._store = lane.store
        self._forecaster: Forecaster | None = None
        self._under: dict[str, Under] = {}
        """By the id of the job: a key is given anew where its job was deleted."""

    def carry(self, job: Row[Any], stop: Callable[[], bool] = lambda: False, turn: float = TURN) -> None:
        """Go on with a claimed job until it ends, ``stop`` says so, or its turn is over."""
        with self._store.write() as conn:
            asked = evaluations.of_job(conn, job.id)
            # Those that ended while they waited for their next turn are not claimed again.
            alive = jobs.alive(conn, [*self._under])
            if asked is not None:
                evaluations.change(conn, asked.pk, status_code=EVALUATING)
        self._under = {key: under for key, under in self._under.items() if key in alive}
        goes_on = False
        try:
            if asked is None:
                self._end(job, None, jobs.BROKEN, "the evaluation was deleted, or asked for anew")
            else:
                goes_on = self._turn(job, asked, stop, time.monotonic() + turn)
        finally:
            if not goes_on:
                self._under.pop(job.id, None)

    def _turn(self, job: Row[Any], asked: Row[Any], stop: Callable[[], bool], until: float) -> bool:
        """Whether it is to go on in another turn."""
        try:
            if job.strikes >= queue.MAX_STRIKES:
                raise LabelwrightError(f"the worker died {job.strikes} times over it; the server's log says how")
            scored = self._scored(job, asked, stop, until)
            if scored is None or not self._measure(job, asked, scored, stop):
                with self._store.write() as conn:
                    # What another process took over says itself how it stands.
                    held = jobs.advance(conn, job.pk, job.lease)
                    if held:
                        evaluations.change(conn, asked.pk, status_code=QUEUED)
                    queue.give_back(conn, job.lease)
                return held
        except LabelwrightError as e:
            code = e.code if isinstance(e, EvaluationNeedsLabels) else FAILED
            self._end(job, asked, jobs.BROKEN, e.details or e.description, code)
        except OperationalError:
            # The store is away: who called waits for it, and gives the job back.
            raise
        except Exception as e:
            log.error("an evaluation failed", evaluation=asked.id, exc_info=e)
            self._end(job, asked, jobs.BROKEN, f"internal error ({type(e).__name__}); the server's log has more")
        return False

    # --- where the scores come from -----------------------------------------------------------------

    def _scored(self, job: Row[Any], asked: Row[Any], stop: Callable[[], bool], until: float) -> Scored | None:
        with self._store.read() as conn:
            version = models.versions_by_pk(conn, [asked.model_version]).get(asked.model_version)
            if version is None:
                raise ModelDoesNotExist("the model version was deleted")
            training = trainings.get(conn, asked.model_version)
            named = _named(conn, job.app, version)
            given = job.params.get("inputs") or []
            # What it was trained on is in the app where it was trained: in another it is judged by that one's labels.
            by_folds = training is not None and training.app == job.app and not given
            if not by_folds and job.id not in self._under:
                self._under[job.id] = self._begin(conn, asked, named, given)
        if by_folds and training is not None:
            return self._by_folds(job, training, named)
        return self._by_running(job, asked, stop, until)

    def _by_folds(self, job: Row[Any], training: Row[Any], named: Sequence[str]) -> Scored:
        """What it said in cross-validation, against the labels as they are now: some may be corrected."""
        inputs, scores = self._folds(training, len(named))
        asked = Asked.from_json(training.params)
        with self._store.read() as conn:
            found = examples(
                conn,
                job.app,
                named,
                training.embedder,
                exclusive=asked.exclusive,
                closed=asked.closed,
                train_on_verified=asked.train_on_verified,
                people_only=asked.people_only,
            )
        place = {int(pk): row for row, pk in enumerate(found.inputs)}
        keep = [i for i, pk in enumerate(inputs) if pk in place]
        rows = [place[inputs[i]] for i in keep]
        labels = found.labels[rows]
        if not np.isfinite(labels).any():
            raise EvaluationNeedsLabels("none of the labels that this version was trained on is left; train it anew")
        about = {"way": "folds", "left_out": len(inputs) - len(keep), "kind": training.report.get("kind")}
        return Scored([inputs[i] for i in keep], scores[keep], labels, list(named), about)

    def _folds(self, training: Row[Any], concepts: int) -> tuple[list[int], Floats]:
        """Keys of inputs, and the scores (n, c) that a version gave them while it was trained without them."""
        key = training.report.get("folds")
        if not key:
            raise LabelwrightError("what this version said in cross-validation was not kept; train it anew")
        try:
            with np.load(io.BytesIO(self._lane.blobs.get(key)), allow_pickle=False) as kept:
                inputs, scores = kept["inputs"], kept["scores"]
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as e:
            raise LabelwrightError(f"what this version said in cross-validation can't be read: {e}") from None
        if scores.shape != (len(inputs), concepts):
            raise LabelwrightError(f"{scores.shape} scores were kept of {concepts} concepts; train it anew")
        return [int(pk) for pk in inputs], scores

    def _begin(self, conn: Connection, asked: Row[Any], named: Sequence[str], given: Sequence[str]) -> Under:
        said = labels_of(conn, asked.app, named)
        labels = np.where(said.by_people, said.labels, np.nan).astype(np.float32)
        keep = np.isfinite(labels).any(1)
        if given:
            keys = set(stored_inputs.keys(conn, asked.app, given).values())
            if not keys:
                raise InputDoesNotExist("none of the inputs that were named is there any more")
            keep &= np.array([int(pk) in keys for pk in said.inputs], bool)
        labelled = int(keep.sum())
        learned = set(trainings.seen(conn, asked.model_version))
        keep &= np.array([int(pk) not in learned for pk in said.inputs], bool)
        chosen = np.flatnonzero(keep)
        if not len(chosen):
            raise EvaluationNeedsLabels(_nothing(labelled, bool(given), named))
        if len(chosen) > MOST:
            # The same ones each time, so that two versions are measured on the same inputs.
            chosen = np.array(sorted(random.Random(0).sample(chosen.tolist(), MOST)))
        about = {"way": "running", "left_out": labelled - int(keep.sum()), "of": int(keep.sum())}
        return Under([int(pk) for pk in said.inputs[chosen]], labels[chosen], list(named), about)

    def _by_running(self, job: Row[Any], asked: Row[Any], stop: Callable[[], bool], until: float) -> Scored | None:
        under = self._under[job.id]
        if self._forecaster is None:
            self._forecaster = Forecaster(self._lane.settings, self._store, self._lane.blobs)
        while under.next < len(under.inputs):
            if stop():
                return None
            self._some(asked, under, self._lane.settings.batch)
            with self._store.write() as conn:
                # The strikes stay: after a death it begins with the first input, and would come to the deadly one anew.
                if not jobs.advance(conn, job.pk, job.lease, total=len(under.inputs), done=under.next):
                    return None
            if time.monotonic() > until and under.next < len(under.inputs):
                return None
        rows = sorted(under.scores)
        if not rows:
            raise LabelwrightError(
                f"the model failed on all {len(under.inputs)} inputs; on one of them: {under.errors[0]}"
            )
        number = {concept: i for i, concept in enumerate(under.concepts)}
        scores = np.zeros((len(rows), len(number)), np.float32)
        for i, row in enumerate(rows):
            for concept, value in under.scores[row].items():
                if concept in number:
                    scores[i, number[concept]] = value
        about = {**under.about, "failed": len(under.inputs) - len(rows)}
        return Scored([under.inputs[r] for r in rows], scores, under.labels[rows], under.concepts, about)

    def _some(self, asked: Row[Any], under: Under, limit: int) -> None:
        """Have the model say what it sees in the next inputs."""
        place = {pk: under.next + i for i, pk in enumerate(under.inputs[under.next : under.next + limit])}
        with self._store.read() as conn:
            rows = training_labels.inputs_of(conn, asked.app, list(place))
        task = Task(
            app=asked.app,
            inputs=tasks_inputs([(row.id, Data.FromString(row.wire or b""), row.media) for row in rows]),
            model_version=asked.model_version,
            output_info=EVERYTHING.SerializeToString(),
        )
        forecaster = self._forecaster
        for row, made in zip(rows, forecaster.run(task) if forecaster and rows else (), strict=True):
            if isinstance(made, LabelwrightError):
                under.errors.append(made.details or made.description)
            else:
                said = Data.FromString(made[0].data).concepts
                under.scores[place[row.pk]] = {c.id: c.value for c in said}
        under.next += len(place)

    # --- how it ends ----------------------------------------------------------------------------------

    def _measure(self, job: Row[Any], asked: Row[Any], scored: Scored, stop: Callable[[], bool]) -> bool:
        """Measure what was scored, and write it down; False where ``stop`` said so first."""
        with self._store.read() as conn:
            version = models.versions_by_pk(conn, [asked.model_version]).get(asked.model_version)
            if version is None:
                raise ModelDoesNotExist("the model version was deleted")
            info = output_info(version.wire)
            own = {c.id: c.name for c in info.data.concepts}
            rows = stored_concepts.by_ids(conn, job.app, scored.concepts)
            names = {c: rows[c].name if c in rows else own.get(c, "") for c in scored.concepts}
            ids = {row.pk: row.id for row in _inputs(conn, job.app, scored.inputs)}
        exclusive = info.output_config.concepts_mutually_exclusive
        done = _beside(lambda: evaluate(scored.scores, scored.labels, scored.concepts, exclusive=exclusive), stop)
        if done is None:
            return False
        result = record(done, names=names, inputs=[ids.get(pk, "") for pk in scored.inputs])
        params = {**asked.params, "summary": summary(done), "about": scored.about}
        with self._store.write() as conn:
            # First of all: a job that was taken over meanwhile must write nothing more.
            if not jobs.advance(conn, job.pk, job.lease, total=len(scored.inputs), done=len(scored.inputs)):
                return True
            evaluations.change(
                conn,
                asked.pk,
                status_code=EVALUATED,
                message="",
                params=params,
                result={**result, "about": scored.about},
            )
            jobs.end(conn, job.pk, jobs.COMPLETED)
            queue.give_back(conn, job.lease)
        return True

    def _end(self, job: Row[Any], asked: Row[Any] | None, state: str, message: str, code: int = FAILED) -> None:
        with self._store.write() as conn:
            # give_back queues what the lease still holds, so the job must be ended first.
            if jobs.advance(conn, job.pk, job.lease):
                jobs.end(conn, job.pk, state, message)
                if asked is not None:
                    evaluations.change(conn, asked.pk, status_code=code, message=message)
            queue.give_back(conn, job.lease)


def start(conn: Connection, app: int, *, id: str, model_version: int, params: Mapping[str, Any]) -> tuple[int, str]:
    """Queue the evaluation of a model version; returns its key and the job's id.

    Args:
        params: ``inputs``: ids of the inputs to measure it on, which the job keeps (`named_inputs`); whatever else is
            there is kept with the evaluation.
    """
    kept = {name: value for name, value in params.items() if name != "inputs"}
    # With the job alone: 10,000 ids are 2 MB, and listings read whole evaluations.
    own = {"evaluation": id, **({"inputs": list(params["inputs"])} if params.get("inputs") else {})}
    job = jobs.add(conn, app, kind="evaluate", params=own)
    pk = evaluations.add(conn, app, id=id, model_version=model_version, job=job, status_code=QUEUED, params=kept)
    return pk, job


def named_inputs(conn: Connection, evaluation: Row[Any]) -> list[str]:
    """The ids of the inputs that an evaluation was asked for on; [] where none were named."""
    job = jobs.get(conn, evaluation.job)
    return list(job.params.get("inputs") or []) if job is not None else []


def _beside(work: Callable[[], T], stop: Callable[[], bool]) -> T | None:
    """Do it in a thread, which is abandoned where ``stop`` says so; None then.

    20,000 inputs and 500 concepts take 20 s, and who stops waits for 7.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as e:  # noqa: BLE001 (raised again where somebody waits for it)
            future.set_exception(e)

    threading.Thread(target=run, name="evaluation", daemon=True).start()
    while not wait([future], LOOK_EVERY).done:
        if stop():
            return None
    return future.result()


def _named(conn: Connection, app: int, version: Row[Any]) -> list[str]:
    """What a version says, as far as it says so; else whatever the app has labels of."""
    said = list(dict.fromkeys(c.id for c in output_info(version.wire).data.concepts))
    return said or concepts_with_labels(conn, app)


def _nothing(labelled: int, given: bool, named: Sequence[str]) -> str:
    said = ", ".join(named[:5]) + (", …" if len(named) > 5 else "")
    if labelled:
        return f"the version was trained on all {labelled} of the labelled inputs: label others, or leave inputs out"
    where = "of the inputs that were named" if given else "in this app"
    return f"no input {where} has a label by a person with what this version says ({said}); label some first"


def _inputs(conn: Connection, app: int, pks: Sequence[int]) -> list[Row[Any]]:
    # SQLite takes 32,766 values in one statement.
    return [r for i in range(0, len(pks), 10_000) for r in training_labels.inputs_of(conn, app, pks[i : i + 10_000])]
