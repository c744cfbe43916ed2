"""Annotations and their concepts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, case, delete, select, update

from labelwright.ids import new_ids
from labelwright.store import review_items
from labelwright.store import tables as t
from labelwright.store.engine import insert_many, next_keys, now, run_many
from labelwright.store.prepared import Prepared


class NewConcept(NamedTuple):
    """A concept of an annotation to be written."""

    concept: int
    """The concept's key."""
    value: float
    score: float | None = None
    """What the model said; None where a person said it."""
    slot: int = -1
    """-1: the whole input; else the number of the region or frame in the annotation's data."""


class NewAnnotation(NamedTuple):
    """An annotation to be written."""

    input: int
    """The input's key."""
    user_id: str
    status_code: int
    origin: int
    wire: bytes
    """Its Data without the concepts."""
    concepts: Sequence[NewConcept] = ()
    id: str = ""
    """"" for a new one."""
    input_level: bool = False
    listed: bool = True
    trusted: bool = True
    model_version_id: str = ""
    workflow_version_id: str = ""
    run: int | None = None
    task_id: str = ""
    annotation_info: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an annotation becomes when a person changed it: every value, changed or not."""

    pk: int
    status_code: int
    origin: int
    listed: bool
    task_id: str
    annotation_info: Mapping[str, Any] | None
    wire: bytes
    concepts: Sequence[NewConcept]


@dataclass(frozen=True, slots=True)
class Rejection:
    """What a person said no to: no later automatic run brings it back."""

    input: int
    concept: int
    """Both are keys."""
    wire: bytes
    """The data of the annotation in which it stood, without the concepts."""
    slot: int
    """Where in that data it stood, as in `NewConcept`."""
    user_id: str


_COLUMNS = (
    "pk",
    "app",
    "input",
    "id",
    "user_id",
    "status_code",
    "origin",
    "input_level",
    "listed",
    "trusted",
    "model_version_id",
    "workflow_version_id",
    "run",
    "task_id",
    "annotation_info",
    "wire",
    "created_at",
    "modified_at",
)


def add(conn: Connection, app: int, rows: Sequence[NewAnnotation]) -> list[str]:
    """Insert annotations with their concepts; returns their ids, in the order given."""
    if not rows:
        return []
    at = now()
    ids = [row.id or fresh for row, fresh in zip(rows, new_ids(len(rows)), strict=True)]
    pks = next_keys(conn, t.annotations, len(rows))
    insert_many(
        conn,
        t.annotations,
        _COLUMNS,
        [
            (
                pk,
                app,
                row.input,
                id_,
                row.user_id,
                row.status_code,
                row.origin,
                row.input_level,
                row.listed,
                row.trusted,
                row.model_version_id,
                row.workflow_version_id,
                row.run,
                row.task_id,
                json.dumps(dict(row.annotation_info)) if row.annotation_info is not None else None,
                row.wire,
                at,
                at,
            )
            for pk, id_, row in zip(pks, ids, rows, strict=True)
        ],
    )
    _insert_concepts(conn, {pk: row.concepts for pk, row in zip(pks, rows, strict=True)})
    review_items.add(
        conn,
        [
            (pk, position, app, row.input, c.concept, row.status_code, score, row.model_version_id, row.run)
            for pk, row in zip(pks, rows, strict=True)
            if row.status_code in review_items.WAITING and not row.input_level
            for position, c in enumerate(row.concepts)
            for score in (c.value if c.score is None else c.score,)
        ],
    )
    return ids


def _insert_concepts(conn: Connection, of: Mapping[int, Sequence[NewConcept]]) -> None:
    insert_many(
        conn,
        t.annotation_concepts,
        ("annotation", "position", "slot", "concept", "value", "score"),
        [
            (pk, position, c.slot, c.concept, c.value, c.score)
            for pk, concepts in of.items()
            for position, c in enumerate(concepts)
        ],
    )


def keys(conn: Connection, app: int, ids: Sequence[str]) -> dict[str, int]:
    """Annotation id to key, for those of ``ids`` that the app has."""
    query = select(t.annotations.c.id, t.annotations.c.pk).where(
        t.annotations.c.app == app, t.annotations.c.id.in_(bindparam("ids", expanding=True))
    )
    return {row.id: row.pk for row in conn.execute(query, {"ids": list(ids)})}


def taken(conn: Connection, pks: Iterable[int]) -> set[int]:
    """Those of these keys that annotations have."""
    query = select(t.annotations.c.pk).where(t.annotations.c.pk.in_(bindparam("pks", expanding=True)))
    return set(conn.execute(query, {"pks": list(pks)}).scalars())


def _with_input() -> Select[Any]:
    """Annotations, each with its input's id as `input_id`."""
    return select(t.annotations, t.inputs.c.id.label("input_id")).join_from(t.annotations, t.inputs)


def by_pks(conn: Connection, pks: Sequence[int]) -> list[Row[Any]]:
    """The rows with these keys, newest first; beside the columns `input_id`, the input's id."""
    if not pks:
        return []
    query = _with_input().where(t.annotations.c.pk.in_(bindparam("pks", expanding=True)))
    return list(conn.execute(query.order_by(t.annotations.c.pk.desc()), {"pks": list(pks)}))


def by_ids(conn: Connection, app: int, ids: Iterable[str], *, lock: bool = False) -> dict[str, Row[Any]]:
    """Annotation id to row as in `by_pks`, for those of ``ids`` that the app has.

    ``lock``: nobody else, an automatic run included, changes them until the transaction ends.
    """
    query = _with_input().where(t.annotations.c.app == app, t.annotations.c.id.in_(bindparam("ids", expanding=True)))
    if lock:
        query = query.with_for_update(of=t.annotations)
    return {row.id: row for row in conn.execute(query, {"ids": list(ids)})}


_LOCKED = Prepared(
    select(t.annotations)
    .where(t.annotations.c.app == bindparam("of_app"), t.annotations.c.id == bindparam("annotation_id"))
    .with_for_update()
)
_FEW = 8
"""One by one up to so many, past SQLAlchemy, is quicker than all at once."""


def locked(conn: Connection, app: int, ids: Collection[str]) -> dict[str, Any]:
    """As `by_ids` with ``lock``, without `input_id`: quick for a few."""
    if len(ids) > _FEW:
        return dict(by_ids(conn, app, ids, lock=True))
    return {id_: row for id_ in sorted(ids) for row in _LOCKED.all(conn, of_app=app, annotation_id=id_)}


def of_inputs(conn: Connection, inputs: Iterable[int]) -> list[Row[Any]]:
    """The annotations of these inputs (their keys) except the input-level ones, locked; rows as in `by_pks`."""
    query = _with_input().where(
        t.annotations.c.input.in_(bindparam("inputs", expanding=True)), ~t.annotations.c.input_level
    )
    return list(conn.execute(query.with_for_update(of=t.annotations), {"inputs": list(inputs)}))


# Built once: every call that shows inputs asks it.
_INPUT_LEVEL = select(t.annotations).where(
    t.annotations.c.input.in_(bindparam("inputs", expanding=True)), t.annotations.c.input_level
)


def input_level(conn: Connection, inputs: Iterable[int], *, lock: bool = False) -> dict[int, Row[Any]]:
    """Input key to its input-level annotation, for those of ``inputs`` that have one. ``lock`` as `by_ids`."""
    wanted = list(inputs)
    if not wanted:
        return {}
    query = _INPUT_LEVEL.with_for_update() if lock else _INPUT_LEVEL
    return {row.input: row for row in conn.execute(query, {"inputs": wanted})}


_CONCEPTS: Select[Any] = (
    select(
        t.annotation_concepts.c.annotation,
        t.annotation_concepts.c.position,
        t.annotation_concepts.c.slot,
        t.annotation_concepts.c.concept,
        t.annotation_concepts.c.value,
        t.annotation_concepts.c.score,
        t.concepts.c.id,
        t.concepts.c.name,
    )
    .join_from(t.annotation_concepts, t.concepts)
    .order_by(t.annotation_concepts.c.annotation, t.annotation_concepts.c.position)
)
_CONCEPTS_OF_MANY = _CONCEPTS.where(t.annotation_concepts.c.annotation.in_(bindparam("pks", expanding=True)))
_CONCEPTS_OF_ONE = Prepared(_CONCEPTS.where(t.annotation_concepts.c.annotation == bindparam("of")))


def concepts_of(conn: Connection, pks: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Annotation key to its concepts in order, each with slot, concept (its key), id, name, value and score."""
    wanted = list(pks)
    found: dict[int, list[Row[Any]]] = {pk: [] for pk in wanted}
    if len(wanted) == 1:
        found[wanted[0]] = _CONCEPTS_OF_ONE.all(conn, of=wanted[0])
        return found
    for pks_ in _chunks(wanted):
        for row in conn.execute(_CONCEPTS_OF_MANY, {"pks": pks_}):
            found[row.annotation].append(row)
    return found


def change(conn: Connection, changes: Sequence[Change]) -> None:
    """Write what a person made of annotations, and that a person did: no automatic run may undo it."""
    if not changes:
        return
    at = now()
    waited = review_items.of_annotations(conn, [c.pk for c in changes])
    conn.execute(
        update(t.annotations).where(t.annotations.c.pk == bindparam("of")),
        [
            {
                "of": c.pk,
                "status_code": c.status_code,
                "origin": c.origin,
                "listed": c.listed,
                "touched": True,
                "task_id": c.task_id,
                "annotation_info": c.annotation_info,
                "wire": c.wire,
                "modified_at": at,
            }
            for c in changes
        ],
    )
    pks = {"pks": [c.pk for c in changes]}
    conn.execute(
        delete(t.annotation_concepts).where(t.annotation_concepts.c.annotation.in_(bindparam("pks", expanding=True))),
        pks,
    )
    _insert_concepts(conn, {c.pk: c.concepts for c in changes})
    waiting = {c.pk for c in changes if c.status_code in review_items.WAITING}
    review_items.renew(conn, waiting | {row.annotation for row in waited}, waited)


def lock(conn: Connection, pks: Sequence[int]) -> list[Row[Any]]:
    """The rows with these keys as in `by_pks`, oldest first; nobody else changes them until the transaction ends."""
    query = _with_input().where(t.annotations.c.pk.in_(bindparam("pks", expanding=True))).order_by(t.annotations.c.pk)
    return list(conn.execute(query.with_for_update(of=t.annotations), {"pks": list(pks)}))


def change_status(conn: Connection, pks: Sequence[int], status_code: int) -> None:
    """Give annotations another status in a person's name: what a model made is confirmed by it."""
    origin = t.annotations.c.origin
    query = update(t.annotations).where(t.annotations.c.pk.in_(bindparam("pks", expanding=True)))
    values = {
        "status_code": status_code,
        "origin": case((origin == t.MODEL, t.CONFIRMED), else_=origin),
        "touched": True,
        "modified_at": now(),
    }
    conn.execute(query.values(values), {"pks": list(pks)})
    review_items.renew(conn, pks, review_items.of_annotations(conn, pks))


def remove(conn: Connection, pks: Iterable[int]) -> None:
    """Delete annotations by their keys."""
    query = delete(t.annotations).where(t.annotations.c.pk.in_(bindparam("pks", expanding=True)))
    for pks_ in _chunks(list(pks)):
        conn.execute(query, {"pks": pks_})


def reject(conn: Connection, rows: Sequence[Rejection]) -> Sequence[int]:
    """Remember what a person said no to; returns the keys under which that is kept, in the order given."""
    if not rows:
        return ()
    at = now()
    pks = next_keys(conn, t.rejections, len(rows))
    insert_many(
        conn,
        t.rejections,
        ("pk", "input", "concept", "wire", "slot", "user_id", "created_at"),
        [(pk, r.input, r.concept, r.wire, r.slot, r.user_id, at) for pk, r in zip(pks, rows, strict=True)],
    )
    return pks


def unreject(conn: Connection, rows: Iterable[tuple[int, int]]) -> None:
    """Forget what a person said no to, given as the keys of rejections, each with its input's."""
    run_many(conn, "DELETE FROM rejections WHERE pk = ? AND input = ?", list(rows))


def _chunks(pks: list[int]) -> Iterable[list[int]]:
    # SQLite takes 32,766 values in one statement.
    return (pks[i : i + 10_000] for i in range(0, len(pks), 10_000))
