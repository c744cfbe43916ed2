"""Runs and their journal: which labels an automatic action wrote, what it replaced, and taking it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, union_all, update

from labelwright.errors import DoesNotExist
from labelwright.ids import new_id
from labelwright.store import tables as t
from labelwright.store.engine import insert_or_ignore, now

INGEST, RERUN = "ingest", "rerun"

HOUR = 3_600_000_000
"""Added inputs share a run for an hour at most: small enough to take back, large enough not to be noise."""


def ingest(conn: Connection, app: int, workflow_version_id: str) -> int:
    """The key of the run that is open for inputs added now; a new one begins each hour and after an undo."""
    at = now()
    slot = f"{workflow_version_id}:{at // HOUR}"
    # Whoever takes the run back waits until what is written into it now can be seen, or comes first and closes it.
    find = (
        select(t.runs.c.pk).where(t.runs.c.app == app, t.runs.c.slot == slot).with_for_update(read=True, key_share=True)
    )
    found: int | None = conn.execute(find).scalar()
    if found is None:
        row = {"app": app, "id": new_id(), "kind": INGEST, "slot": slot, "created_at": at, "modified_at": at}
        conn.execute(insert_or_ignore(conn, t.runs).values(workflow_version_id=workflow_version_id, **row))
        found = conn.execute(find).scalar_one()
    return found


def add(conn: Connection, app: int, kind: str, workflow_version_id: str) -> Row[Any]:
    """Begin a run of its own."""
    at, run_id = now(), new_id()
    row = {"app": app, "id": run_id, "kind": kind, "workflow_version_id": workflow_version_id}
    conn.execute(insert(t.runs).values(created_at=at, modified_at=at, **row))
    return conn.execute(select(t.runs).where(t.runs.c.id == run_id)).one()


# Built once, since every batch counts.
_COUNT = (
    update(t.runs)
    .where(t.runs.c.pk == bindparam("of"))
    .values(
        inputs=t.runs.c.inputs + bindparam("more"),
        wrote=t.runs.c.wrote + bindparam("written"),
        replaced=t.runs.c.replaced + bindparam("taken"),
        modified_at=bindparam("at"),
    )
)


def count(conn: Connection, run: int, *, inputs: int, wrote: int, replaced: int) -> None:
    """Add to a run's counters."""
    conn.execute(_COUNT, {"of": run, "more": inputs, "written": wrote, "taken": replaced, "at": now()})


BEGINNING = 6
"""Characters of a run's id that name it, where no other begins so."""


def get(conn: Connection, run_id: str) -> Row[Any]:
    """One run by its id, or by the beginning of it where that is enough to tell it.

    Raises:
        DoesNotExist: none is called so, or more than one begins so.
    """
    exact = conn.execute(select(t.runs).where(t.runs.c.id == run_id)).first()
    if exact is not None:
        return exact
    if len(run_id) < BEGINNING:
        raise DoesNotExist(
            f"there is no run {run_id!r}: give its id, or the first {BEGINNING} characters or more of it"
        )
    rows = conn.execute(select(t.runs).where(t.runs.c.id.startswith(run_id, autoescape=True)).limit(2)).all()
    if not rows:
        raise DoesNotExist(f"there is no run {run_id!r}; `labelwright runs` lists them")
    if len(rows) > 1:
        raise DoesNotExist(f"more than one run begins with {run_id!r}: give more of its id")
    return rows[0]


def by_pk(conn: Connection, pk: int) -> Row[Any] | None:
    """One run by its key."""
    return conn.execute(select(t.runs).where(t.runs.c.pk == pk)).first()


def by_pks(conn: Connection, pks: Iterable[int]) -> list[Row[Any]]:
    """The runs with these keys that there are."""
    wanted = list(pks)
    return list(conn.execute(select(t.runs).where(t.runs.c.pk.in_(wanted)))) if wanted else []


def ids(conn: Connection, pks: Iterable[int]) -> dict[int, str]:
    """Key to id, of the runs with these keys that there are."""
    return {row.pk: row.id for row in by_pks(conn, pks)}


def page(conn: Connection, app: int | None = None, *, limit: int = 50) -> list[Row[Any]]:
    """Runs with their app's id, newest first."""
    query = select(t.runs, t.apps.c.id.label("app_id"), t.apps.c.user_id).join(t.apps, t.apps.c.pk == t.runs.c.app)
    if app is not None:
        query = query.where(t.runs.c.app == app)
    return list(conn.execute(query.order_by(t.runs.c.pk.desc()).limit(limit)))


def of_app(conn: Connection, app: int, run_id: str) -> Row[Any] | None:
    """One run of an app by its whole id."""
    return conn.execute(select(t.runs).where(t.runs.c.app == app, t.runs.c.id == run_id)).first()


def listing(conn: Connection, app: int, *, before: int | None = None, limit: int) -> list[Row[Any]]:
    """An app's runs, newest first, with the id of the workflow that each ran beside it (None where that is gone).

    Args:
        before: only runs whose key is below this one.
    """
    versions, workflows = t.workflow_versions, t.workflows
    query = (
        select(t.runs, workflows.c.id.label("workflow_id"))
        .outerjoin(versions, versions.c.id == t.runs.c.workflow_version_id)
        .outerjoin(workflows, workflows.c.pk == versions.c.workflow)
        .where(t.runs.c.app == app)
    )
    if before is not None:
        query = query.where(t.runs.c.pk < before)
    return list(conn.execute(query.order_by(t.runs.c.pk.desc()).limit(limit)))


def is_open(run: Row[Any]) -> bool:
    """Whether inputs that are added now may still join a run."""
    return bool(run.slot) and str(run.slot).endswith(f":{now() // HOUR}")


def write_journal(conn: Connection, run: int, entries: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Note what a run replaced: input key, and the annotation as it was."""
    rows = [{"run": run, "input": pk, "before": dict(before)} for pk, before in entries]
    if rows:
        conn.execute(insert(t.journal), rows)


def close(conn: Connection, run: int) -> None:
    """Mark a run as undone, from now on where it was not; what comes in later belongs to a new one."""
    at = func.coalesce(t.runs.c.undone_at, now())
    conn.execute(update(t.runs).where(t.runs.c.pk == run).values(undone_at=at, slot=None))


def wrote(conn: Connection, run: int, *, after: int, limit: int) -> list[Row[Any]]:
    """Annotations of a run that no person has touched since: pk, id, input; by key, behind ``after``."""
    query = (
        select(t.annotations.c.pk, t.annotations.c.id, t.annotations.c.input)
        .where(
            t.annotations.c.run == run,
            t.annotations.c.origin == t.MODEL,
            t.annotations.c.touched.is_(False),
            t.annotations.c.pk > after,
        )
        .order_by(t.annotations.c.pk)
        .limit(limit)
    )
    return list(conn.execute(query))


def journal(conn: Connection, run: int, *, after: int, limit: int) -> list[Row[Any]]:
    """A run's journal: pk, input, before; by key, behind ``after``."""
    query = select(t.journal).where(t.journal.c.run == run, t.journal.c.pk > after)
    return list(conn.execute(query.order_by(t.journal.c.pk).limit(limit)))


def undone(conn: Connection, pks: Iterable[int]) -> set[int]:
    """Those of these runs that were taken back."""
    query = select(t.runs.c.pk).where(t.runs.c.pk.in_(list(pks)), t.runs.c.undone_at.is_not(None))
    return set(conn.execute(query).scalars())


def touched(conn: Connection, run: int) -> int:
    """How many annotations of a run a person has changed or confirmed since."""
    person = or_(t.annotations.c.touched.is_(True), t.annotations.c.origin != t.MODEL)
    query = select(func.count()).select_from(t.annotations).where(t.annotations.c.run == run, person)
    found: int = conn.execute(query).scalar_one()
    return found


def next_over(conn: Connection, run: int, inputs: Iterable[int]) -> dict[int, int]:
    """Input key to the first later run that wrote or replaced something there, for those with one."""
    pks = list(inputs)
    labels = select(t.annotations.c.input, t.annotations.c.run).where(t.annotations.c.input.in_(pks))
    replaced = select(t.journal.c.input, t.journal.c.run).where(t.journal.c.input.in_(pks))
    both = union_all(labels.where(t.annotations.c.run > run), replaced.where(t.journal.c.run > run)).subquery()
    query = select(both.c.input, func.min(both.c.run).label("run")).group_by(both.c.input)
    return {row.input: row.run for row in conn.execute(query)}


def hand_on_journal(conn: Connection, entries: Mapping[int, int]) -> None:
    """Let journal entries (by key) belong to other runs (by key)."""
    if entries:
        query = update(t.journal).where(t.journal.c.pk == bindparam("entry")).values(run=bindparam("to"))
        conn.execute(query, [{"entry": pk, "to": run} for pk, run in entries.items()])


def forget_journal(conn: Connection, pks: Iterable[int]) -> None:
    """Drop journal entries that have been put back."""
    conn.execute(delete(t.journal).where(t.journal.c.pk.in_(list(pks))))
