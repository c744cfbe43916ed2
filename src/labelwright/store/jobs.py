"""Long work, in a lane of its own: jobs with a place to go on from, claimed under the same leases as inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from labelwright.ids import new_id
from labelwright.store.engine import now
from labelwright.store.queue import Holder, add_lease
from labelwright.store.tables import jobs

QUEUED, RUNNING, COMPLETED, BROKEN = "queued", "running", "done", "failed"
UNFINISHED = (QUEUED, RUNNING)


def add(conn: Connection, app: int, *, kind: str, params: Mapping[str, Any], total: int = 0) -> str:
    """Queue a job; returns its id. ``total``: how much it has to do, where that is known already."""
    at, job_id = now(), new_id()
    conn.execute(
        insert(jobs).values(
            app=app,
            id=job_id,
            kind=kind,
            state=QUEUED,
            params=dict(params),
            cursor={},
            total=total,
            created_at=at,
            modified_at=at,
        )
    )
    return job_id


def get(conn: Connection, job_id: str) -> Row[Any] | None:
    """One job by its id."""
    return conn.execute(select(jobs).where(jobs.c.id == job_id)).first()


def alive(conn: Connection, ids: Collection[str]) -> set[str]:
    """Which of these jobs wait or run."""
    query = select(jobs.c.id).where(jobs.c.id.in_(list(ids)), jobs.c.state.in_(UNFINISHED))
    return set(conn.execute(query).scalars()) if ids else set()


def unfinished(conn: Connection, app: int, kind: str) -> list[Row[Any]]:
    """An app's jobs of a kind that wait or run, oldest first."""
    query = select(jobs).where(jobs.c.app == app, jobs.c.kind == kind, jobs.c.state.in_(UNFINISHED))
    return list(conn.execute(query.order_by(jobs.c.pk)))


def latest(conn: Connection, app: int, kind: str, *, limit: int = 100) -> list[Row[Any]]:
    """An app's jobs of a kind, ended or not, newest first."""
    query = select(jobs).where(jobs.c.app == app, jobs.c.kind == kind)
    return list(conn.execute(query.order_by(jobs.c.pk.desc()).limit(limit)))


def waiting(conn: Connection) -> bool:
    """Whether a job waits."""
    return conn.execute(select(jobs.c.pk).where(jobs.c.state == QUEUED).limit(1)).first() is not None


def claim(conn: Connection, holder: Holder, *, seconds: float, job_id: str = "") -> Row[Any] | None:
    """Take the job that has waited longest, or the one named; None where none waits."""
    chosen = select(jobs.c.pk).where(jobs.c.state == QUEUED)
    if job_id:
        chosen = chosen.where(jobs.c.id == job_id)
    # The least recently touched first: a job that gives way after a while lets the others have their turn.
    chosen = chosen.order_by(jobs.c.modified_at, jobs.c.pk).limit(1).with_for_update(skip_locked=True)
    lease = new_id()
    row = conn.execute(
        update(jobs)
        .where(jobs.c.pk.in_(chosen))
        .values(state=RUNNING, lease=lease, modified_at=now())
        .returning(*jobs.c)
    ).first()
    if row is not None:
        add_lease(conn, lease, holder, seconds)
    return row


def advance(conn: Connection, pk: int, lease: str, **values: Any) -> bool:
    """Note a running job's progress; False where its lease was taken away or the job is gone."""
    query = update(jobs).where(jobs.c.pk == pk, jobs.c.lease == lease)
    return conn.execute(query.values(modified_at=now(), **values)).rowcount > 0


def plus(column: str, amount: int) -> ColumnElement[int]:
    """A counter's value with ``amount`` added, for `advance`."""
    return jobs.c[column] + amount


def end(conn: Connection, pk: int, state: str, message: str = "") -> None:
    """Give a job its final state; whoever holds its lease notices at the next `advance`."""
    conn.execute(
        update(jobs).where(jobs.c.pk == pk).values(state=state, message=message, lease=None, modified_at=now())
    )


def of_run(conn: Connection, run: int, app: int) -> Row[Any] | None:
    """The unfinished job that writes into a run."""
    return next((j for j in unfinished(conn, app, "rerun") if j.cursor.get("run") == run), None)
