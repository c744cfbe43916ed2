"""An app's runs for the pages: what each wrote and replaced, and taking one back a while at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.annotator import undo as undoing
from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import asked
from labelwright.protocol.dispatch import Call
from labelwright.protocol.methods import methods
from labelwright.store import jobs
from labelwright.store import runs as stored

SECONDS = 0.5
"""How long one call goes on taking a run back. A call has one of the server's few turns for so long, and the steps
of a million annotations take minutes."""

MOST, USUAL = 200, 50
"""Runs on a page, at most and where nothing is said."""

OPEN, RUNNING, ENDED, UNDOING, UNDONE = "open", "running", "ended", "undoing", "undone"
"""A run's state: inputs still join it; a re-run is at it; it is over; it is being taken back, and was."""

_LARGEST = 10**9 - 1


def runs(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """A page of an app's runs, newest first.

    Args:
        given: ``n`` (1 to 200, else 50) and ``before`` (the ``next`` of the page before), as the query has them.

    Returns:
        ``runs``: of each id, kind ("ingest", "rerun"), workflow_id (None where it is gone), workflow_version_id,
        inputs, wrote, replaced, created_at, undone_at (ISO or None), state and, of a re-run under way, job (done,
        total); ``next``: None behind the last page.

    Raises:
        InvalidRequest: a parameter is unknown or not legal.
        DoesNotExist, InsufficientScopes: as `Call.app`.
    """
    asked.only(given, "n", "before")
    limit = asked.number(given, "n", USUAL, 1, MOST)
    before = asked.number(given, "before", 0, 1, _LARGEST) or None
    with call.store.read() as conn:
        app = call.app(conn, where)
        rows = stored.listing(conn, app.pk, before=before, limit=limit + 1)
        at_work = {job.cursor.get("run"): job for job in jobs.unfinished(conn, app.pk, "rerun")}
        shown = [_shown(conn, row, at_work.get(row.pk)) for row in rows[:limit]]
    return {"runs": shown, "next": str(rows[limit - 1].pk) if len(rows) > limit else None}


def undo_run(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """Take a run back for half a second; called again and again until ``done``, it is taken back as a whole.

    Whoever does it must be allowed to delete annotations and, since what the run replaced returns, to write them.

    Args:
        given: ``run``, its whole id.

    Returns:
        run; dealt, removed, restored, left: what this call did, as `labelwright.annotator.undo.Step` has it; done:
        whether nothing is left to do. Where it is, ``left`` counts those too that a person has touched.

    Raises:
        InvalidRequest: ``given`` holds something else.
        DoesNotExist: the app has no such run; or as `Call.app`.
        InsufficientScopes: as `Call.app`.
    """
    asked.only(given, "run")
    run_id = asked.text(given, "run", longest=256)
    if not run_id:
        raise InvalidRequest("run is missing: say the id of the run to take back, as the list of runs has it")
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
        call.rights(conn, app).check(methods()["PatchAnnotations"], "whoever takes a run back")
        run = stored.of_app(conn, app.pk, run_id)
    if run is None:
        raise DoesNotExist(f"app {app.id!r} has no run {run_id!r}; the list of runs has their ids")
    until = time.monotonic() + SECONDS
    dealt = removed = restored = left = 0
    done = True
    for step in undoing.steps(call.store, run):
        dealt, removed = dealt + step.dealt, removed + step.removed
        restored, left = restored + step.restored, left + step.left
        # A step that found nothing is no place to stop: every call would come to it first, and none beyond.
        if step.dealt and time.monotonic() >= until:
            done = False
            break
    if done:
        with call.store.read() as conn:
            left += stored.touched(conn, run.pk)
    return {"run": run.id, "dealt": dealt, "removed": removed, "restored": restored, "left": left, "done": done}


def _shown(conn: Connection, row: Row[Any], job: Row[Any] | None) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "kind": row.kind,
        "workflow_id": row.workflow_id,
        "workflow_version_id": row.workflow_version_id,
        "inputs": row.inputs,
        "wrote": row.wrote,
        "replaced": row.replaced,
        "created_at": _iso(row.created_at),
        "undone_at": _iso(row.undone_at),
        "state": _state(conn, row, job),
    }
    if job is not None:
        shown["job"] = {"done": job.done, "total": job.total}
    return shown


def _state(conn: Connection, row: Row[Any], job: Row[Any] | None) -> str:
    if row.undone_at is not None:
        more = stored.wrote(conn, row.pk, after=0, limit=1) or stored.journal(conn, row.pk, after=0, limit=1)
        return UNDOING if more else UNDONE
    if job is not None:
        return RUNNING
    return OPEN if stored.is_open(row) else ENDED


def _iso(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
