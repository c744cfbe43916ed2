"""Running the default workflow again over inputs that are there already, as a job that can go on after a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from labelwright import metrics
from labelwright.annotator import batch
from labelwright.annotator.commit import Made, count_flows, write_labels
from labelwright.annotator.intake import Intake
from labelwright.annotator.lane import TURN, Lane, carries
from labelwright.annotator.plans import Plans
from labelwright.errors import LabelwrightError
from labelwright.media.blobs import BlobStore
from labelwright.store import apps, jobs, queue, reruns, runs
from labelwright.store.engine import Store
from labelwright.workflows.engine import Plan

log = structlog.get_logger("labelwright.rerun")


class Rerun:
    """Carries re-runs forward. A job's cursor moves in the transaction that writes its labels."""

    def __init__(self, store: Store, intake: Intake, limit: int, blobs: BlobStore | None = None) -> None:
        self._store = store
        self._intake = intake
        self._plans = Plans(blobs)
        self._limit = limit

    def carry(self, job: Row[Any], stop: Callable[[], bool] = lambda: False, turn: float = TURN) -> None:
        """Go on with a claimed job until it ends, ``stop`` says so, or its turn is over."""
        try:
            state = self._begin(job)
        except LabelwrightError as e:
            self._end(job, jobs.BROKEN, e.details)
            return
        if state is None:
            with self._store.write() as conn:
                queue.give_back(conn, job.lease)
            return
        app, plan, cursor = state
        until = time.monotonic() + turn
        while True:
            with self._store.read() as conn:
                rows = reruns.following(
                    conn,
                    job.app,
                    after=cursor["after"],
                    upto=cursor["upto"],
                    without_version=_without(job, cursor),
                    limit=1 if cursor.get("alone", 0) else self._limit,
                )
            if not rows:
                self._end(job, jobs.COMPLETED, "")
                return
            made = batch.make(plan, job.app, rows, self._intake, stop=stop)
            if made is None or not self._commit(job, app, plan, cursor, made):
                break
            if stop() or time.monotonic() > until:
                break
        with self._store.write() as conn:
            queue.give_back(conn, job.lease)

    def _begin(self, job: Row[Any]) -> tuple[Row[Any], Plan, dict[str, Any]] | None:
        with self._store.write() as conn:
            app = apps.by_pk(conn, job.app)
            if app is None:
                return None
            plan = self._plans.default(conn, app)
            cursor = dict(job.cursor)
            values: dict[str, Any] = {}
            if "run" not in cursor:
                run = runs.add(conn, app.pk, runs.RERUN, plan.workflow_version_id)
                cursor |= {"run": run.pk, "after": 0, "upto": reruns.newest(conn, app.pk)}
                cursor["version"] = plan.workflow_version_id
                values["total"] = reruns.count(conn, app.pk, upto=cursor["upto"], without_version=_without(job, cursor))
            elif cursor["version"] != plan.workflow_version_id:
                raise LabelwrightError("the default workflow changed while it was under way; start another")
            if job.strikes:
                # A worker died over the batch behind the cursor: one at a time until the one is found.
                cursor["alone"] = self._limit
            if job.strikes > queue.MAX_STRIKES:
                self._skip(conn, job, cursor)
            if not jobs.advance(conn, job.pk, job.lease, cursor=cursor, **values):
                return None
        return app, plan, cursor

    def _skip(self, conn: Connection, job: Row[Any], cursor: dict[str, Any]) -> None:
        deadly = reruns.following(
            conn,
            job.app,
            after=cursor["after"],
            upto=cursor["upto"],
            without_version=_without(job, cursor),
            limit=1,
        )
        for row in deadly:
            log.error("an input killed the worker again and again; the re-run leaves it out", input=row.id)
            cursor["after"] = row.pk
            jobs.advance(conn, job.pk, job.lease, strikes=0, done=job.done + 1, failed=job.failed + 1)

    def _commit(
        self, job: Row[Any], app: Row[Any], plan: Plan, cursor: dict[str, Any], made: Mapping[int, Made]
    ) -> bool:
        with self._store.write() as conn:
            # As the calls of people do: what they say and what is written here come one after the other.
            if apps.get(conn, app.user_id, app.id, lock=True) is None:
                return False
            cursor["after"] = max(made)
            cursor["alone"] = max(cursor.get("alone", 0) - 1, 0)
            # First of all: a job that was ended or taken over meanwhile must write nothing more, and an undo
            # that ends it waits for this row until what is written here can be seen and taken back.
            held = jobs.advance(
                conn,
                job.pk,
                job.lease,
                cursor=cursor,
                strikes=0,
                done=jobs.plus("done", len(made)),
                failed=jobs.plus("failed", sum(m.error is not None for m in made.values())),
            )
            if not held:
                return False
            settled = reruns.still_settled(conn, made)
            good = {pk: m for pk, m in made.items() if pk in settled and m.error is None}
            wrote, replaced = write_labels(conn, app, plan, good, cursor["run"], replace=True)
            runs.count(conn, cursor["run"], inputs=len(good), wrote=wrote.total(), replaced=replaced)
            count_flows(conn, app, plan, good, wrote)
            reruns.finish(conn, {pk: m.media for pk, m in good.items()}, plan.workflow_version_id)
        failed = sum(m.error is not None for m in made.values())
        metrics.settled(labelled=len(good), failed=failed, annotations=wrote.total())
        return True

    def _end(self, job: Row[Any], state: str, message: str) -> None:
        with self._store.write() as conn:
            # give_back queues what the lease still holds, so the job must be ended first.
            if jobs.advance(conn, job.pk, job.lease):
                jobs.end(conn, job.pk, state, message)
            queue.give_back(conn, job.lease)


def _without(job: Row[Any], cursor: Mapping[str, Any]) -> str | None:
    return cursor["version"] if job.params.get("missing") else None


def _carrier(lane: Lane) -> Rerun:
    return Rerun(lane.store, Intake(lane.settings, lane.blobs), lane.settings.batch, lane.blobs)


carries("rerun", _carrier)
