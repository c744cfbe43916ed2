"""Loops of learning and labelling: where each stands, and what an app's inputs are labelled with by now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, exists, func, insert, select, update

from labelwright.ids import new_id
from labelwright.store import tables as t
from labelwright.store.engine import now

_L, _A, _C = t.loops.c, t.annotations.c, t.annotation_concepts.c

SUCCESS = 24150
"""The status of an annotation that counts as a label."""

_BY_PEOPLE = (t.PERSON, t.IMPORT, t.CONFIRMED)


def add(conn: Connection, app: int, *, state: str, params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Row[Any]:
    """Keep a new loop; returns its row."""
    at = now()
    row = {"app": app, "id": new_id(), "state": state, "params": dict(params), "cursor": dict(cursor), "rounds": []}
    result = conn.execute(insert(t.loops).values(created_at=at, modified_at=at, **row))
    return conn.execute(select(t.loops).where(_L.pk == result.inserted_primary_key[0])).one()  # type: ignore[index]


def by_pk(conn: Connection, pk: int) -> Row[Any] | None:
    """One loop by its key."""
    return conn.execute(select(t.loops).where(_L.pk == pk)).first()


def listing(conn: Connection, app: int | None = None, *, state: str = "") -> list[Row[Any]]:
    """Loops with their app's id and owner, newest first; of one app, in one state, where that is said."""
    query = select(t.loops, t.apps.c.id.label("app_id"), t.apps.c.user_id).join(t.apps, t.apps.c.pk == _L.app)
    if app is not None:
        query = query.where(_L.app == app)
    if state:
        query = query.where(_L.state == state)
    return list(conn.execute(query.order_by(_L.pk.desc())))


def beginning_with(conn: Connection, beginning: str) -> list[Row[Any]]:
    """Loops whose id begins so, two at most."""
    query = select(t.loops).where(_L.id.startswith(beginning, autoescape=True))
    return list(conn.execute(query.order_by(_L.pk).limit(2)))


def move(conn: Connection, row: Row[Any], **values: Any) -> bool:
    """Change a loop from where it was read; False where somebody else has changed it since."""
    # The time tells one state from the next, so it moves with every change.
    at = max(now(), row.modified_at + 1)
    query = update(t.loops).where(_L.pk == row.pk, _L.modified_at == row.modified_at)
    return conn.execute(query.values(modified_at=at, **values)).rowcount > 0


# --- what the inputs are labelled with ------------------------------------------------------------

_SAID = (
    select(_A.input, t.concepts.c.id.label("concept_id"), _C.value, _A.origin, _A.touched, _A.run, _A.modified_at)
    .join_from(t.annotation_concepts, t.annotations, _C.annotation == _A.pk)
    .join(t.concepts, t.concepts.c.pk == _C.concept)
    .where(_A.app == bindparam("of_app"), _A.status_code == SUCCESS, _C.slot == -1)
)


def by_people(conn: Connection, app: int, concepts: Collection[str], *, after: int = 0) -> set[int]:
    """The keys of the inputs of which people said something about these concepts.

    Args:
        concepts: ids; none: all of the app's.
        after: only what was said, or changed, at this time in microseconds or later.
    """
    query = _SAID.where(_A.origin.in_(_BY_PEOPLE), _A.modified_at >= after)
    rows = conn.execute(query, {"of_app": app})
    return {row.input for row in rows if not concepts or row.concept_id in concepts}


def automatic(conn: Connection, app: int, concepts: Collection[str]) -> set[tuple[int, str]]:
    """The auto-labels of whole inputs that no person touched: input key and concept id."""
    query = _SAID.where(_A.origin == t.MODEL, _A.touched.is_(False), _A.run.is_not(None), _C.value > 0)
    rows = conn.execute(query, {"of_app": app})
    return {(row.input, row.concept_id) for row in rows if not concepts or row.concept_id in concepts}


def without_vector(conn: Connection, app: int, embedder: str, *, after: int, limit: int) -> list[int]:
    """The next inputs that are settled and have no vector of an embedder's version, by key, behind ``after``."""
    i, e = t.inputs.c, t.embeddings.c
    vector = exists().where(e.input == i.pk, e.model_version_id == embedder)
    query = select(i.pk).where(i.app == app, i.pk > after, i.status_code == t.DONE, ~vector)
    return list(conn.execute(query.order_by(i.pk).limit(limit)).scalars())


def count_inputs(conn: Connection, app: int) -> int:
    """How many inputs an app has."""
    found: int = conn.execute(select(func.count()).select_from(t.inputs).where(t.inputs.c.app == app)).scalar_one()
    return found


def keep(conn: Connection, pks: Sequence[int], workflow_version_id: str) -> None:
    """Let the labels of these inputs stand as if this workflow version had looked at them: re-runs pass them over."""
    for some in _chunks(sorted(pks)):
        query = update(t.inputs).where(t.inputs.c.pk.in_(some), t.inputs.c.status_code == t.DONE)
        conn.execute(query.values(workflow_version_id=workflow_version_id, modified_at=now()))


def _chunks(values: Sequence[int]) -> Iterator[Sequence[int]]:
    # SQLite takes 32,766 values in one statement.
    return (values[i : i + 10_000] for i in range(0, len(values), 10_000))


def drop_items(conn: Connection, pks: Sequence[int]) -> int:
    """Delete drawn items that nobody has answered; returns how many."""
    found = 0
    for some in _chunks(sorted(pks)):
        query = delete(t.drawn_items).where(t.drawn_items.c.pk.in_(some), t.drawn_items.c.answer.is_(None))
        found += conn.execute(query).rowcount
    return found
