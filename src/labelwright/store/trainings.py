"""How versions of models that learn came about: what they were asked to learn, how far they are, what they saw."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from labelwright.store import jobs
from labelwright.store import tables as t
from labelwright.store.engine import insert_many, now

KIND = "train"
"""The kind of its jobs."""

MAX_LOG = 200
"""Entries of a log: one that would be longer loses those in its middle."""


def add(conn: Connection, app: int, version: int, params: Mapping[str, Any]) -> str:
    """Queue the training of a version; returns the id of its job."""
    at = now()
    job = jobs.add(conn, app, kind=KIND, params={"version": version}, total=100)
    conn.execute(
        insert(t.trainings).values(
            model_version=version,
            app=app,
            job=job,
            params=dict(params),
            report={},
            log=[[at, "queued"]],
            created_at=at,
            modified_at=at,
        )
    )
    return job


def get(conn: Connection, version: int) -> Row[Any] | None:
    """How a version came about; None for one that did not learn."""
    return conn.execute(select(t.trainings).where(t.trainings.c.model_version == version)).first()


def of_versions(conn: Connection, versions: Iterable[int]) -> dict[int, Row[Any]]:
    """Version key to how it came about, for those that learned or will."""
    query = select(t.trainings).where(t.trainings.c.model_version.in_(list(versions)))
    return {row.model_version: row for row in conn.execute(query)}


def change(conn: Connection, version: int, **values: Any) -> None:
    """Set columns."""
    query = update(t.trainings).where(t.trainings.c.model_version == version)
    conn.execute(query.values(modified_at=now(), **values))


def note(conn: Connection, version: int, *texts: str) -> None:
    """Add to a version's log."""
    query = select(t.trainings.c.log).where(t.trainings.c.model_version == version)
    log = conn.execute(query).scalar()
    if log is None or not texts:
        return
    at = now()
    log = [*log, *([at, text] for text in texts)]
    if len(log) > MAX_LOG:
        half = MAX_LOG // 2
        log = [*log[:half], *log[-half:]]
    change(conn, version, log=log)


def artifact(conn: Connection, version: int) -> str:
    """Where a version's arrays lie in the media store; "" for one without."""
    query = select(t.trainings.c.artifact).where(t.trainings.c.model_version == version)
    return conn.execute(query).scalar() or ""


def saw(conn: Connection, version: int, inputs: Sequence[int]) -> None:
    """Say which inputs a version has seen, in place of what was said before; those that are gone are left out."""
    conn.execute(delete(t.training_inputs).where(t.training_inputs.c.model_version == version))
    for start in range(0, len(inputs), 10_000):
        query = select(t.inputs.c.pk).where(t.inputs.c.pk.in_(inputs[start : start + 10_000]))
        # Held: whoever deletes one meanwhile waits, and takes the row that is written here along.
        there = conn.execute(query.order_by(t.inputs.c.pk).with_for_update(read=True, key_share=True)).scalars()
        insert_many(conn, t.training_inputs, ("model_version", "input"), [(version, pk) for pk in there])


def seen(conn: Connection, version: int) -> list[int]:
    """The keys of the inputs that a version has seen, ascending."""
    table = t.training_inputs.c
    query = select(table.input).where(table.model_version == version).order_by(table.input)
    return list(conn.execute(query).scalars())


def forget(conn: Connection, *, models: Collection[int] = (), versions: Collection[int] = ()) -> list[str]:
    """End what trains these versions, or all versions of these models, before they are deleted.

    Returns:
        Where their arrays lie, or would: to be deleted from the media store after the transaction.
    """
    wanted: ColumnElement[bool] = t.model_versions.c.model.in_(list(models)) | t.model_versions.c.pk.in_(list(versions))
    query = (
        select(t.trainings.c.app, t.trainings.c.model_version, t.trainings.c.job, t.trainings.c.artifact)
        .join(t.model_versions, t.model_versions.c.pk == t.trainings.c.model_version)
        .where(wanted)
    )
    keys = []
    for row in conn.execute(query).all():
        job = jobs.get(conn, row.job)
        if job is not None and job.state in jobs.UNFINISHED:
            jobs.end(conn, job.pk, jobs.BROKEN, "the version was deleted")
        keys += [head_key(row.app, row.model_version), folds_key(row.app, row.model_version)]
    return keys


def head_key(app: int, version: int) -> str:
    """Where a version's arrays lie in the media store: below the app's folder, with which they go."""
    return f"{app}/head{version}.npz"


def folds_key(app: int, version: int) -> str:
    """Where the scores lie that it gave, in cross-validation, to the inputs that it learned from."""
    return f"{app}/folds{version}.npz"


def embedding_versions(conn: Connection, apps: Collection[int], version_id: str) -> list[int]:
    """The keys of the model versions with this id in these apps."""
    query = (
        select(t.model_versions.c.pk)
        .join(t.models, t.models.c.pk == t.model_versions.c.model)
        .where(t.models.c.app.in_(list(apps)), t.model_versions.c.id == version_id)
    )
    return list(conn.execute(query.order_by(t.model_versions.c.pk)).scalars())
