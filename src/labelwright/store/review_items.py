"""What waits for a person, a concept of an annotation at a time; who looks at it, and until when nobody else may."""

from __future__ import annotations

import heapq
import math
import random
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, func, literal, or_, select, tuple_

from labelwright.store import tables as t
from labelwright.store.engine import insert_many, run_many

PENDING, FLAGGED = 24151, 24157
WAITING = (PENDING, FLAGGED)
"""The statuses of an annotation whose concepts wait: the API's ANNOTATION_PENDING and ANNOTATION_AWAITING_REVIEW."""

LEASE = 120_000_000
"""Microseconds for which an item is kept for who was given it."""

_BELOW_HALF = math.nextafter(0.5, 0)

UNCERTAIN, CONFIDENT, RANDOM = "uncertain", "confident", "random"
ORDERS = (UNCERTAIN, CONFIDENT, RANDOM)

_I = t.review_items.c
_COLUMNS = (
    "annotation",
    "position",
    "app",
    "input",
    "concept",
    "status_code",
    "score",
    "model_version_id",
    "run",
)
_random = random.Random()

FEW = 1000
"""So many are put into a random order as a whole; of more, some are read here and there."""

WINDOW = 64
"""Keys of annotations among which is looked for items at random, at first."""

Place = tuple[int, int]
"""An annotation's key, and the position of one of its concepts."""


class NewItem(NamedTuple):
    """An item as `add` takes it."""

    annotation: int
    position: int
    app: int
    input: int
    concept: int
    status_code: int
    score: float
    model_version_id: str
    run: int | None


def add(conn: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Let concepts wait, given as plain tuples in the order of `NewItem`."""
    insert_many(conn, t.review_items, _COLUMNS, list(rows))


_OF_ANNOTATIONS = select(t.review_items).where(_I.annotation.in_(bindparam("pks", expanding=True)))
_FORGET = delete(t.review_items).where(_I.annotation.in_(bindparam("pks", expanding=True)))
_WAITING = (
    select(
        t.annotations.c.pk,
        t.annotation_concepts.c.position,
        t.annotations.c.app,
        t.annotations.c.input,
        t.annotation_concepts.c.concept,
        t.annotations.c.status_code,
        func.coalesce(t.annotation_concepts.c.score, t.annotation_concepts.c.value),
        t.annotations.c.model_version_id,
        t.annotations.c.run,
    )
    .join_from(t.annotations, t.annotation_concepts)
    .where(
        t.annotations.c.pk.in_(bindparam("pks", expanding=True)),
        t.annotations.c.status_code.in_(WAITING),
        ~t.annotations.c.input_level,
    )
)


def of_annotations(conn: Connection, pks: Collection[int]) -> list[Row[Any]]:
    """What waits of these annotations."""
    return list(conn.execute(_OF_ANNOTATIONS, {"pks": list(pks)})) if pks else []


def renew(conn: Connection, pks: Collection[int], before: Sequence[Row[Any]] = ()) -> None:
    """Let of these annotations wait what is to wait now, after they were changed.

    Args:
        before: what waited before the change: who looks at a concept keeps it.
    """
    if not pks:
        return
    conn.execute(_FORGET, {"pks": list(pks)})
    old = {(row.annotation, row.concept): row for row in before}
    rows = []
    for item in conn.execute(_WAITING, {"pks": list(pks)}):
        was = old.get((item[0], item[4]))
        kept = (None, None) if was is None else (was.held_by, was.held_until)
        rows.append((*item, *kept))
    insert_many(conn, t.review_items, (*_COLUMNS, "held_by", "held_until"), rows)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items."""

    status_code: int = PENDING
    concepts: tuple[int, ...] | None = None
    """Their keys; None for all, an empty one for none."""
    low: float | None = None
    high: float | None = None
    """Bounds of the score, both inclusive."""
    model_version_id: str | None = None
    run: int | None = None
    """Its key."""
    kind: bytes | None = None
    """The first byte of an input's `wire`, which tells the kind of its media."""

    @property
    def is_empty(self) -> bool:
        """Whether it can't find anything."""
        return self.concepts is not None and not self.concepts


def _where(query: Select[Any], app: int, which: Filter, *, few: bool = False) -> Select[Any]:
    """A query of the items of an app that a filter lets through.

    Args:
        few: what is asked besides leaves few of them, and is found by its own index; SQLite would look at all that
            wait in the app (10,000 held by nobody: 5 ms), were the app not hidden from it in a sum.
    """
    found = [(_I.app + 0 if few else _I.app) == app, _I.status_code == which.status_code]
    if which.concepts is not None:
        found.append(_I.concept == which.concepts[0] if len(which.concepts) == 1 else _I.concept.in_(which.concepts))
    if which.low is not None:
        found.append(_I.score >= which.low)
    if which.high is not None:
        found.append(_I.score <= which.high)
    if which.model_version_id is not None:
        found.append(_I.model_version_id == which.model_version_id)
    if which.run is not None:
        found.append(_I.run == which.run)
    if which.kind is not None:
        query = query.join(t.inputs, t.inputs.c.pk == _I.input)
        found.append(func.substr(t.inputs.c.wire, 1, 1) == which.kind)
    return query.where(*found)


def _free(holder: str, at: int) -> ColumnElement[bool]:
    return or_(_I.held_by.is_(None), _I.held_by == holder, _I.held_until <= at)


def _held_by_others(holder: str, at: int) -> ColumnElement[bool]:
    return _I.held_by.is_not(None) & (_I.held_by != holder) & (_I.held_until > at)


def count(conn: Connection, app: int, which: Filter) -> int:
    """How many items there are, held or not."""
    if which.is_empty:
        return 0
    found: int = conn.execute(_where(select(func.count()).select_from(t.review_items), app, which)).scalar_one()
    return found


def count_held(conn: Connection, app: int, which: Filter, *, holder: str, at: int) -> int:
    """How many of them others hold at a time in microseconds."""
    if which.is_empty:
        return 0
    query = _where(select(func.count()).select_from(t.review_items), app, which, few=True)
    query = query.where(_held_by_others(holder, at))
    found: int = conn.execute(query).scalar_one()
    return found


def take(
    conn: Connection,
    app: int,
    which: Filter,
    order: str,
    *,
    holder: str,
    at: int,
    n: int,
    exclude: Collection[Place],
) -> list[Row[Any]]:
    """Give somebody up to ``n`` items that nobody else holds, in an order of ORDERS.

    On PostgreSQL what another call is just taking is passed over, not waited for.
    """
    found: list[Row[Any]] = []
    candidates = (
        row
        for row in _in_order(conn, app, which, order, holder, at, n + len(exclude))
        if (row.annotation, row.position) not in exclude
    )
    while more := list(islice(candidates, n - len(found))):
        if conn.dialect.name == "postgresql":
            got = _locked(conn, {row.annotation for row in more}, holder, at)
            more = [row for row in more if (row.annotation, row.position) in got]
        found += more
        if len(found) == n:
            break
    lease(conn, [(row.annotation, row.position) for row in found], holder=holder, until=at + LEASE)
    return found


def take_inputs(
    conn: Connection,
    app: int,
    which: Filter,
    order: str,
    *,
    holder: str,
    at: int,
    n: int,
    exclude: Collection[int],
) -> list[tuple[Row[Any], list[Row[Any]]]]:
    """Give somebody up to ``n`` items of different inputs, each with all else that waits of its input.

    An input of which somebody else holds anything is passed over.

    Args:
        exclude: keys of inputs that are not wanted.
    """
    found: list[tuple[Row[Any], list[Row[Any]]]] = []
    seen = set(exclude)
    candidates = _in_order(conn, app, which, order, holder, at, 2 * n + len(exclude))
    while len(found) < n:
        more: dict[int, Row[Any]] = {}
        for row in candidates:
            if row.input not in seen:
                seen.add(row.input)
                more[row.input] = row
                if len(more) == n - len(found):
                    break
        if not more:
            break
        of: dict[int, list[Row[Any]]] = {}
        for row in of_inputs(conn, more):
            of.setdefault(row.input, []).append(row)
        got = _locked(conn, {row.annotation for here in of.values() for row in here}, holder, at)
        for pk, row in more.items():
            here = of.get(pk, [])
            places = [(r.annotation, r.position) for r in here]
            if (row.annotation, row.position) in places and all(p in got for p in places):
                found.append((row, [r for r in here if (r.annotation, r.position) != (row.annotation, row.position)]))
    lease(
        conn,
        [(row.annotation, row.position) for first, others in found for row in (first, *others)],
        holder=holder,
        until=at + LEASE,
    )
    return found


def of_inputs(conn: Connection, inputs: Iterable[int]) -> list[Row[Any]]:
    """All that waits of these inputs, by annotation and position."""
    query = (
        select(t.review_items)
        .join(t.annotations, t.annotations.c.pk == _I.annotation)
        .where(t.annotations.c.input.in_(list(inputs)))
        .order_by(_I.annotation, _I.position)
    )
    return list(conn.execute(query))


def get(conn: Connection, places: Iterable[Place]) -> dict[Place, Row[Any]]:
    """The items at these places, for those that wait."""
    wanted = set(places)
    rows = of_annotations(conn, {annotation for annotation, _ in wanted})
    return {(r.annotation, r.position): r for r in rows if (r.annotation, r.position) in wanted}


def _locked(conn: Connection, annotations: Iterable[int], holder: str, at: int) -> set[Place]:
    """The free items of these annotations, which nobody takes until the transaction ends."""
    query = select(_I.annotation, _I.position).where(_I.annotation.in_(list(annotations)), _free(holder, at))
    return {(row.annotation, row.position) for row in conn.execute(query.with_for_update(skip_locked=True))}


def lease(conn: Connection, places: Sequence[Place], *, holder: str, until: int) -> None:
    """Let somebody hold these until a time in microseconds, whoever held them."""
    if places:
        run_many(conn, _LEASE, [(holder, until, *place) for place in places])


_LEASE = "UPDATE review_items SET held_by = ?, held_until = ? WHERE annotation = ? AND position = ?"


def hold(conn: Connection, places: Collection[Place], *, holder: str, at: int) -> set[Place]:
    """Renew somebody's hold on items; returns those that are still theirs: what nobody took meanwhile is, too."""
    if not places:
        return set()
    query = select(_I.annotation, _I.position).where(
        _I.annotation.in_({annotation for annotation, _ in places}), _free(holder, at)
    )
    # What is just being decided or taken is not waited for: two that wait for each other would be ended.
    rows = conn.execute(query.with_for_update(skip_locked=True))
    kept = {(row.annotation, row.position) for row in rows} & set(places)
    lease(conn, sorted(kept), holder=holder, until=at + LEASE)
    return kept


def release(conn: Connection, app: int, holder: str) -> int:
    """Give back all that somebody holds in an app; returns how many that were."""
    query = select(_I.annotation, _I.position).where(_I.held_by == holder, _I.app == app)
    rows = list(conn.execute(query.with_for_update(skip_locked=True)))
    run_many(conn, _LEASE, [(None, None, row.annotation, row.position) for row in rows])
    return len(rows)


def _in_order(
    conn: Connection, app: int, which: Filter, order: str, holder: str, at: int, size: int
) -> Iterator[Row[Any]]:
    """Free items, read from the indexes as far as they are asked for."""
    if which.is_empty:
        return iter(())
    free = _free(holder, at)
    query = _where(select(t.review_items), app, which).where(free)
    if order == RANDOM:
        return _at_random(
            conn, app, query, _where(select(t.review_items), app, which, few=True).where(free), holder, size
        )
    if which.concepts is not None and len(which.concepts) > 1:
        # Only of one concept the index has the scores in order.
        each = [replace(which, concepts=(concept,)) for concept in which.concepts]
    else:
        each = [which]

    def stream(which: Filter, low: float | None, high: float | None, descending: bool) -> Iterator[Row[Any]]:
        rest = _where(select(t.review_items), app, replace(which, low=None, high=None)).where(free)
        return _by_score(conn, rest, low, high, descending, size)

    low, high = which.low, which.high
    if order == CONFIDENT:
        return heapq.merge(*(stream(w, low, high, True) for w in each), key=lambda row: -row.score)
    # Outward from the middle, instead of sorting all by their distance to it.
    up = 0.5 if low is None else max(low, 0.5)
    down = _BELOW_HALF if high is None else min(high, _BELOW_HALF)
    streams = [s for w in each for s in (stream(w, up, high, False), stream(w, low, down, True))]
    return heapq.merge(*streams, key=lambda row: abs(row.score - 0.5))


def _at_random(
    conn: Connection, app: int, query: Select[Any], query_few: Select[Any], holder: str, wanted: int
) -> Iterator[Row[Any]]:
    """The rows of a query in an order without a pattern; of many, those that somebody holds already come first.

    Many of them are read in windows of the key, anywhere between the app's first and last annotation: an index of
    random numbers would cost each item that is written 4 of its 18 us. What stands among few is then somewhat
    likelier to come early, so this is for variety; it is not a sample from which to estimate.
    """
    # Passed over within the database, which reads 1,000 rows in a tenth of the time that they take as objects.
    if conn.execute(query.with_only_columns(literal(1)).offset(FEW).limit(1)).first() is None:
        yield from sorted(conn.execute(query), key=_scrambled)
        return
    held = conn.execute(query_few.where(_I.held_by == holder)).all()
    yield from sorted(held, key=_scrambled)
    seen: set[Place] = {(row.annotation, row.position) for row in held}
    # Each on its own, since SQLite goes to the end of an index for one, and through all of it for both.
    first, last = (
        conn.execute(select(end(t.annotations.c.pk)).where(t.annotations.c.app == app)).scalar_one()
        for end in (func.min, func.max)
    )
    window = query_few.where(_I.annotation >= bindparam("start"), _I.annotation < bindparam("end"))
    # Twelve windows for a page of 100: a statement costs some 0.1 ms.
    size, each = WINDOW, max(2, wanted // 12)
    while True:
        start = _random.randint(first - size + 1, last)
        whole = size > last - first
        found = conn.execute(query) if whole else conn.execute(window, {"start": start, "end": start + size})
        rows = [row for row in found if (row.annotation, row.position) not in seen]
        if whole:
            yield from _random.sample(rows, len(rows))
            return
        for row in _random.sample(rows, min(len(rows), each)):
            seen.add((row.annotation, row.position))
            yield row
        if len(rows) < 2 * each:
            size *= 2


def _scrambled(row: Row[Any]) -> int:
    """What an item is sorted by, where the order is to be the same again and follow nothing."""
    return zlib.crc32(b"%d.%d" % (row.annotation, row.position))


def _by_score(
    conn: Connection, query: Select[Any], low: float | None, high: float | None, descending: bool, size: int
) -> Iterator[Row[Any]]:
    """The rows of a query with scores from ``low`` to ``high``, both inclusive, by score and then by key."""
    keys = (_I.score, _I.annotation, _I.position)
    query = query.order_by(*(k.desc() if descending else k for k in keys))
    first, last = (None if low is None else _I.score >= low), (None if high is None else _I.score <= high)
    if descending:
        first, last = last, first
    if last is not None:
        query = query.where(last)
    # Of several bounds at one end SQLite takes any, and reads on from there: 100,000 that wait cost it 30 ms.
    step = query if first is None else query.where(first)
    size = max(size, 20)
    while True:
        rows = conn.execute(step.limit(size)).all()
        yield from rows
        if len(rows) < size:
            return
        row = rows[-1]
        behind = tuple_(row.score, row.annotation, row.position)
        step = query.where(tuple_(*keys) < behind if descending else tuple_(*keys) > behind)
        size = min(4 * size, 5000)


def by_status(conn: Connection, app: int) -> dict[int, int]:
    """Status code to the number of items."""
    query = select(_I.status_code, func.count()).where(_I.app == app).group_by(_I.status_code)
    return {row[0]: row[1] for row in conn.execute(query)}


def by_concept(conn: Connection, app: int, *, limit: int) -> list[Row[Any]]:
    """The concepts of most items: id, name, pending, flagged."""
    inner = (
        select(_I.concept, _I.status_code, func.count().label("n"))
        .where(_I.app == app)
        .group_by(_I.status_code, _I.concept)
        .subquery()
    )
    pending = func.sum(inner.c.n).filter(inner.c.status_code == PENDING)
    flagged = func.sum(inner.c.n).filter(inner.c.status_code == FLAGGED)
    query = (
        select(
            t.concepts.c.id,
            t.concepts.c.name,
            func.coalesce(pending, 0).label("pending"),
            func.coalesce(flagged, 0).label("flagged"),
        )
        .join_from(inner, t.concepts, t.concepts.c.pk == inner.c.concept)
        .group_by(t.concepts.c.pk, t.concepts.c.id, t.concepts.c.name)
        .order_by(func.sum(inner.c.n).desc(), t.concepts.c.id)
        .limit(limit)
    )
    return list(conn.execute(query))


def by_source(conn: Connection, app: int) -> Mapping[tuple[str, int | None], int]:
    """(Model version id, run's key) to the number of pending items."""
    query = (
        select(_I.model_version_id, _I.run, func.count())
        .where(_I.app == app, _I.status_code == PENDING)
        .group_by(_I.model_version_id, _I.run)
    )
    return {(version, run): n for version, run, n in conn.execute(query)}
