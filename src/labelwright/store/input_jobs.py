"""The jobs in whose names inputs are added: how far each is, counted from its inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from labelwright.store.engine import now
from labelwright.store.tables import FAILED, PENDING, inputs, inputs_add_jobs


def get(conn: Connection, app: int, job_id: str) -> Row[Any] | None:
    """One job of an app by its id."""
    query = select(inputs_add_jobs).where(inputs_add_jobs.c.app == app, inputs_add_jobs.c.id == job_id)
    return conn.execute(query).first()


def add(conn: Connection, app: int, job_id: str, wire: bytes) -> int:
    """Insert a job; returns its key. The caller holds the app's lock and has looked that the id is free."""
    at = now()
    result = conn.execute(insert(inputs_add_jobs).values(app=app, id=job_id, wire=wire, created_at=at, modified_at=at))
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    return pk


def change(conn: Connection, pk: int, wire: bytes) -> None:
    """Note what became of a job."""
    conn.execute(update(inputs_add_jobs).where(inputs_add_jobs.c.pk == pk).values(wire=wire, modified_at=now()))


def page(conn: Connection, app: int, *, offset: int, limit: int) -> list[Row[Any]]:
    """An app's jobs, newest first."""
    query = select(inputs_add_jobs).where(inputs_add_jobs.c.app == app)
    return list(conn.execute(query.order_by(inputs_add_jobs.c.pk.desc()).offset(offset).limit(limit)))


def counts(conn: Connection, pks: Iterable[int]) -> dict[int, dict[int, int]]:
    """Job key to status code to the number of the job's inputs that have it; inputs that are gone do not count."""
    wanted = list(pks)
    found: dict[int, dict[int, int]] = {pk: {} for pk in wanted}
    query = (
        # ix_inputs_add_job holds both columns, so that no row is read.
        select(inputs.c.add_job, inputs.c.status_code, func.count().label("n"))
        .where(inputs.c.add_job.in_(wanted))
        .group_by(inputs.c.add_job, inputs.c.status_code)
    )
    for row in conn.execute(query):
        found[row.add_job][row.status_code] = row.n
    return found


def newest_input(conn: Connection, pk: int) -> int:
    """The key of a job's newest waiting input; 0 where none waits."""
    query = select(func.max(inputs.c.pk)).where(inputs.c.add_job == pk, inputs.c.status_code == PENDING)
    found: int | None = conn.execute(query).scalar()
    return found or 0


def fail_waiting(conn: Connection, pk: int, *, upto: int, details: str, limit: int) -> int:
    """Give up to ``limit`` of a job's waiting inputs the status FAILED; returns how many it were.

    Args:
        upto: the newest input that is meant.
        details: the reason.
    """
    chosen = (
        select(inputs.c.pk)
        .where(inputs.c.add_job == pk, inputs.c.status_code == PENDING, inputs.c.pk <= upto)
        .order_by(inputs.c.pk)
        .limit(limit)
        # What a worker is about to claim is as good as being worked on.
        .with_for_update(skip_locked=True)
    )
    query = update(inputs).where(inputs.c.pk.in_(chosen))
    return conn.execute(query.values(status_code=FAILED, status_details=details, modified_at=now())).rowcount
