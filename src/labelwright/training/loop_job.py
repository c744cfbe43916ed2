"""Playing a loop in the lane of long work, as far as it goes without people."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Connection, Row

from labelwright.annotator.lane import TURN, Lane
from labelwright.errors import LabelwrightError
from labelwright.store import jobs, queue
from labelwright.training.looper import ENDED, JOB, PEOPLE, Looper

KIND = "loop"
"""The kind of its jobs."""

PAUSE = 0.5
"""Seconds before it looks again at a job of its own that another process carries."""

log = structlog.get_logger("labelwright.loop")


def enqueue(conn: Connection, app: int, loop: int) -> str:
    """Queue what a loop (its key) can do now, unless that waits or runs already; returns the job's id."""
    for row in jobs.unfinished(conn, app, KIND):
        if row.params.get("loop") == loop:
            return str(row.id)
    return jobs.add(conn, app, kind=KIND, params={"loop": loop})


class Play:
    """Carries loops forward until they wait for people, or have ended."""

    def __init__(self, lane: Lane) -> None:
        self._store = lane.store
        self._looper = Looper(lane.settings, lane.store, lane.blobs)

    def carry(self, job: Row[Any], stop: Callable[[], bool] = lambda: False, turn: float = TURN) -> None:
        """Go on with a claimed job: see `Carrier.carry`. What a step has done it has done for good."""
        if job.strikes > queue.MAX_STRIKES:
            self._end(job, jobs.BROKEN, "it ended its process again and again; the log has more")
            return
        until = time.monotonic() + turn
        try:
            while not stop() and time.monotonic() < until:
                stand = self._looper.step(job.params["loop"], stop)
                if stand.what in (PEOPLE, ENDED):
                    self._end(job, jobs.COMPLETED, stand.text)
                    return
                if stand.what == JOB:
                    # That job waits in this lane, and has its turn when this one is given back.
                    time.sleep(PAUSE)
                    break
        except LabelwrightError as e:
            self._end(job, jobs.BROKEN, e.details)
            return
        except Exception as e:
            log.exception("a loop failed", loop=job.params["loop"])
            self._end(job, jobs.BROKEN, f"it failed ({type(e).__name__}); the log has more")
            return
        with self._store.write() as conn:
            queue.give_back(conn, job.lease)

    def _end(self, job: Row[Any], state: str, message: str) -> None:
        with self._store.write() as conn:
            # give_back queues what the lease still holds, so the job must be ended first.
            if jobs.advance(conn, job.pk, job.lease):
                jobs.end(conn, job.pk, state, message)
            queue.give_back(conn, job.lease)
