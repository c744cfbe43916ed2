"""What chance chose for a person to look at: inputs still to be labelled, and auto-labels under audit.

The items of a draw are handed out, and count, in the order of their keys, which is the order in which chance drew
them: any number of them from the beginning on is a random sample too, and one that was picked out is not.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, update

from labelwright.ids import new_id
from labelwright.store import tables as t
from labelwright.store.engine import insert_many, now, run_many

VERIFY, AUDIT, TEACH = "verify", "audit", "teach"
"""verify: claims about inputs that are still to be labelled, to tune thresholds with; audit: auto-labels; teach:
inputs that a model is to learn from, of which nothing is claimed: they are evidence of nothing."""

WRONG, RIGHT, UNTOLD = 0, 1, 2
"""Answers; the last one: the person can't tell."""

LEASE = 120_000_000
"""Microseconds for which an item is kept for who was given it."""

_I, _D = t.drawn_items.c, t.draws.c
_COLUMNS = ("draw", "app", "input", "annotation_id", "position", "concept_id", "model_version_id", "score", "chance")


class NewItem(NamedTuple):
    """What is drawn: a claim that an input shows a concept, as the model made it at the time."""

    input: int
    """Its key."""
    concept_id: str
    model_version_id: str
    score: float | None
    chance: float
    """How likely it was to be drawn, above 0 and at most 1."""
    annotation_id: str = ""
    """Of an audit: the auto-label."""
    position: int = 0
    """Of an audit: which concept of it."""


def draw(
    conn: Connection,
    app: int,
    kind: str,
    items: Iterable[NewItem],
    *,
    user_id: str,
    params: Mapping[str, Any],
    model_version_id: str = "",
    workflow_version_id: str = "",
    id: str = "",
) -> Row[Any]:
    """Keep a draw, its items in the order given, which must be a random one; returns the draw's row.

    Args:
        kind: VERIFY, AUDIT or TEACH.
        params: how it was drawn; plain JSON.
    """
    result = conn.execute(
        insert(t.draws).values(
            app=app,
            id=id or new_id(),
            kind=kind,
            model_version_id=model_version_id,
            workflow_version_id=workflow_version_id,
            params=dict(params),
            user_id=user_id,
            created_at=now(),
        )
    )
    pk: int = result.inserted_primary_key[0]  # type: ignore[index]
    add(conn, app, pk, items)
    return conn.execute(select(t.draws).where(_D.pk == pk)).one()


def add(conn: Connection, app: int, draw: int, items: Iterable[NewItem]) -> None:
    """Put more items into a draw (its key), after those that it has; all together must be in a random order."""
    rows = [
        (draw, app, i.input, i.annotation_id, i.position, i.concept_id, i.model_version_id, i.score, i.chance)
        for i in items
    ]
    insert_many(conn, t.drawn_items, _COLUMNS, rows)


def get(conn: Connection, app: int, draw_id: str) -> Row[Any] | None:
    """One draw by its id."""
    return conn.execute(select(t.draws).where(_D.app == app, _D.id == draw_id)).first()


def listing(conn: Connection, app: int, kind: str = "", *, model_version_id: str = "") -> list[Row[Any]]:
    """An app's draws with the number of their ``items`` and how many are ``answered``, newest first.

    Args:
        kind: only these; "" for both.
        model_version_id: only those of this version; "" for all.
    """
    query = (
        select(t.draws, func.count(_I.pk).label("items"), func.count(_I.answer).label("answered"))
        .outerjoin(t.drawn_items, _I.draw == _D.pk)
        .where(_D.app == app)
        # The primary key decides about the rest; PostgreSQL has no equality of JSON to group by.
        .group_by(_D.pk)
        .order_by(_D.pk.desc())
    )
    if kind:
        query = query.where(_D.kind == kind)
    if model_version_id:
        query = query.where(_D.model_version_id == model_version_id)
    return list(conn.execute(query))


def by_ids(conn: Connection, app: int, ids: Collection[str]) -> list[Row[Any]]:
    """As `listing`, of the draws with these ids, oldest first."""
    return [row for row in reversed(listing(conn, app)) if row.id in ids] if ids else []


def inputs_of(conn: Connection, app: int, kind: str) -> set[int]:
    """The keys of all inputs of an app that draws of a kind hold, answered or not."""
    query = select(_I.input).join_from(t.drawn_items, t.draws, _D.pk == _I.draw)
    return set(conn.execute(query.where(_I.app == app, _D.kind == kind)).scalars())


# --- handing out ----------------------------------------------------------------------------------

_SHOWN = (
    select(t.drawn_items, _D.kind, _D.id.label("draw_id"), _D.params.label("draw_params"))
    .join_from(t.drawn_items, t.draws, _D.pk == _I.draw)
    .order_by(_I.pk)
)


def _of(query: Select[Any], app: int, kind: str) -> Select[Any]:
    query = query.where(_I.app == app)
    return query.where(_D.kind == kind) if kind else query


def _free(holder: str, at: int) -> ColumnElement[bool]:
    return or_(_I.held_by.is_(None), _I.held_by == holder, _I.held_until <= at)


def count_waiting(conn: Connection, app: int, kind: str = "") -> int:
    """How many items wait for an answer, held or not; "" for both kinds."""
    query = select(func.count()).select_from(t.drawn_items).join(t.draws, _D.pk == _I.draw)
    found: int = conn.execute(_of(query, app, kind).where(_I.answer.is_(None))).scalar_one()
    return found


def take(
    conn: Connection, app: int, kind: str, *, holder: str, at: int, n: int, exclude: Collection[int] = ()
) -> list[Row[Any]]:
    """Give somebody up to ``n`` items that nobody else holds, oldest draw first and each in the order of chance.

    Args:
        kind: VERIFY, AUDIT, or "" for both.
        at: the time in microseconds.
        exclude: keys of items that are not wanted.

    Returns:
        The items, each with ``kind``, ``draw_id`` and ``draw_params``.
    """
    query = _of(_SHOWN, app, kind).where(_I.answer.is_(None), _free(holder, at)).limit(n + len(exclude))
    # What another call is just taking is passed over, not waited for.
    query = query.with_for_update(skip_locked=True, of=t.drawn_items)
    found = [row for row in conn.execute(query) if row.pk not in exclude][:n]
    _lease(conn, [row.pk for row in found], holder, at + LEASE)
    return found


def items(conn: Connection, app: int, pks: Collection[int]) -> dict[int, Row[Any]]:
    """Key to item, for those that the app has, each with ``kind``, ``draw_id`` and ``draw_params``."""
    if not pks:
        return {}
    return {row.pk: row for row in conn.execute(_SHOWN.where(_I.app == app, _I.pk.in_(list(pks))))}


def hold(conn: Connection, app: int, pks: Collection[int], *, holder: str, at: int) -> set[int]:
    """Renew somebody's hold on items; returns those that still wait and are theirs, or nobody's."""
    if not pks:
        return set()
    query = select(_I.pk).where(_I.app == app, _I.pk.in_(list(pks)), _I.answer.is_(None), _free(holder, at))
    kept = set(conn.execute(query.with_for_update(skip_locked=True)).scalars())
    _lease(conn, sorted(kept), holder, at + LEASE)
    return kept


def release(conn: Connection, app: int, holder: str) -> int:
    """Give back all that somebody holds in an app; returns how many that were."""
    query = update(t.drawn_items).where(_I.app == app, _I.answer.is_(None), _I.held_by == holder)
    return conn.execute(query.values(held_by=None, held_until=None)).rowcount


def _lease(conn: Connection, pks: Sequence[int], holder: str, until: int) -> None:
    if pks:
        conn.execute(update(t.drawn_items).where(_I.pk.in_(pks)).values(held_by=holder, held_until=until))


# --- answers --------------------------------------------------------------------------------------


def answer(conn: Connection, pk: int, code: int, *, by: str, said: Any = None, at: int | None = None) -> bool:
    """Keep the answer to an item; False where it has one already, which stands.

    Args:
        code: WRONG, RIGHT or UNTOLD.
        said: what it is, where that was said; plain JSON.
    """
    query = update(t.drawn_items).where(_I.pk == pk, _I.answer.is_(None))
    values = {"answer": code, "said": said, "answered_by": by, "answered_at": now() if at is None else at}
    return conn.execute(query.values(held_by=None, held_until=None, **values)).rowcount > 0


class NewAnswer(NamedTuple):
    """An answer to an item, whose key is ``item``: WRONG, RIGHT or UNTOLD, and the user."""

    item: int
    code: int
    by: str


_ANSWER_ELSEWHERE = (
    "UPDATE drawn_items SET answer = ?, said = ?, answered_by = ?, answered_at = ?, held_by = NULL, held_until = NULL "
    "WHERE pk = ? AND answer IS NULL"
)


def answer_elsewhere(conn: Connection, some: Iterable[NewAnswer]) -> None:
    """Keep what people said elsewhere as the answers to items; those that have one already keep it."""
    at, said = now(), json.dumps({"elsewhere": True})
    run_many(conn, _ANSWER_ELSEWHERE, [(a.code, said, a.by, at, a.item) for a in some])


def unanswer(conn: Connection, pk: int, *, by: str) -> bool:
    """Let an item wait again, whose answer that person takes back; False where it has none of theirs."""
    query = update(t.drawn_items).where(_I.pk == pk, _I.answered_by == by)
    empty = dict.fromkeys(("answer", "answered_by", "answered_at", "held_by", "held_until"))
    return conn.execute(query.values(said=None, **empty)).rowcount > 0


def drawn(conn: Connection, app: int, model_version_id: str = "", kind: str = "") -> list[Row[Any]]:
    """The items, answered or not, in the order of chance; each with ``kind``, ``draw_id`` and ``draw_params``.

    Args:
        model_version_id: only what this version claims; "" for all.
        kind: VERIFY, AUDIT, or "" for both.
    """
    query = _of(_SHOWN, app, kind)
    return list(conn.execute(query.where(_I.model_version_id == model_version_id) if model_version_id else query))


def answers(conn: Connection, app: int, model_version_id: str = "", kind: str = "") -> list[Row[Any]]:
    """As `drawn`, but only what has an answer."""
    query = _of(_SHOWN, app, kind).where(_I.answer.is_not(None))
    return list(conn.execute(query.where(_I.model_version_id == model_version_id) if model_version_id else query))


# --- what may be drawn ----------------------------------------------------------------------------

SUCCESS = 24150
"""The status of an annotation that counts as a label."""

_BY_PEOPLE = (t.PERSON, t.IMPORT, t.CONFIRMED)
_A, _C = t.annotations.c, t.annotation_concepts.c


def said_by_people(conn: Connection, app: int, concepts: Collection[int], *, after: int = 0) -> list[Row[Any]]:
    """What people say of whole inputs, oldest word first: input, concept (keys), value, modified_at, user_id.

    Args:
        concepts: keys; what is said of others is left out.
        after: only words that were said, or changed, at this time in microseconds or later.
    """
    found: list[Row[Any]] = []
    for some in _chunks(sorted(concepts)):
        query = (
            select(_A.input, _C.concept, _C.value, _A.modified_at, _A.user_id)
            .join_from(t.annotation_concepts, t.annotations, _C.annotation == _A.pk)
            .where(
                _C.concept.in_(some),
                _C.slot == -1,
                _A.app == app,
                _A.status_code == SUCCESS,
                _A.origin.in_(_BY_PEOPLE),
            )
        )
        found += conn.execute(query.where(_A.modified_at >= after) if after else query)
    return sorted(found, key=lambda row: row.modified_at)


def with_vectors(conn: Connection, app: int, embedder: str) -> Iterable[tuple[int, bytes]]:
    """Key and vector (float32, little-endian) of every input of an app that has one of this embedder's version."""
    e = t.embeddings.c
    query = (
        select(e.input, e.vector)
        .join(t.inputs, t.inputs.c.pk == e.input)
        .where(t.inputs.c.app == app, e.model_version_id == embedder)
        .order_by(e.input)
    )
    for row in conn.execute(query):
        yield row.input, bytes(row.vector)


def claimed(conn: Connection, app: int, model_version_id: str, *, newest: int | None = None) -> list[Row[Any]]:
    """What a model version said of inputs when the workflow ran: input, concept (keys), score, slot.

    Of what people decided since, what the model said is still there: the score stays with the concept.

    Args:
        newest: only so many, the newest annotations first; None: all.
    """
    query = (
        select(_A.input, _C.concept, func.coalesce(_C.score, _C.value).label("score"), _C.slot)
        .join_from(t.annotations, t.annotation_concepts, _C.annotation == _A.pk)
        .where(_A.app == app, _A.model_version_id == model_version_id, _A.origin.in_((t.MODEL, t.CONFIRMED)))
        # What a person put in its place has no score.
        .where(or_(_A.origin == t.MODEL, _C.score.is_not(None)))
        .order_by(_A.pk.desc())
    )
    return list(conn.execute(query if newest is None else query.limit(newest)))


def claimed_concepts(conn: Connection, app: int, model_version_id: str) -> list[str]:
    """The ids of an app's concepts that a model version said of inputs, oldest concept first."""
    said = (
        select(_A.pk)
        .join_from(t.annotation_concepts, t.annotations, _C.annotation == _A.pk)
        .where(_C.concept == t.concepts.c.pk, _A.model_version_id == model_version_id, _A.origin == t.MODEL)
        .exists()
    )
    return list(
        conn.execute(select(t.concepts.c.id).where(t.concepts.c.app == app, said).order_by(t.concepts.c.pk)).scalars()
    )


def _chunks(values: Sequence[int]) -> Iterable[Sequence[int]]:
    # SQLite takes 32,766 values in one statement.
    return (values[i : i + 10_000] for i in range(0, len(values), 10_000))


def scores_of(conn: Connection, concept: int, *, newest: int) -> list[float]:
    """What models said of a concept (its key) in whole inputs or in parts, of its newest labels; in no order."""
    rows = select(_C.score).where(_C.concept == concept).order_by(_C.annotation.desc()).limit(newest).subquery()
    return list(conn.execute(select(rows.c.score).where(rows.c.score.is_not(None))).scalars())
