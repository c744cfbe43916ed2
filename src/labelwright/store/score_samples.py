"""The scores of a concept, in bins."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, Connection, Integer, case, cast, func, literal_column, select

from labelwright.store import tables as t
from labelwright.store.overview import SUCCESS, WAITING

_a, _c = t.annotations.c, t.annotation_concepts.c


class Bin(NamedTuple):
    """How many labels have a score from one part of 0 to 1."""

    number: int
    """From 0; the last one holds the score 1 too."""
    kind: str
    """success, negative or pending."""
    n: int


def binned(conn: Connection, concept: int, *, bins: int, newest: int) -> tuple[list[Bin], bool]:
    """The scores of a concept's newest labels, counted in bins, and whether there are older ones.

    A score is what the model said or, where none spoke, the label's value. A person's plain yes or no has none.
    One that equals a bin's lower edge is in that bin, as one that equals a threshold passes it.

    Args:
        concept: its key.
        newest: how many labels are looked at.
    """
    # Without the status: the index has (concept, annotation), so that the newest are found without sorting.
    rows = (
        select(_c.annotation, _c.value, _c.score)
        .where(_c.concept == concept)
        .order_by(_c.annotation.desc())
        .limit(newest)
        .subquery()
    )
    score = func.coalesce(rows.c.score, rows.c.value)
    number = _floor(conn, score * literal_column(str(float(bins))))
    if edges := _short_of_their_bin(bins):
        number += case((score.in_(edges), 1), else_=0)
    number = number.label("number")
    kind = case(
        (_a.status_code != SUCCESS, literal_column("'pending'")),
        (rows.c.value > literal_column("0"), literal_column("'success'")),
        else_=literal_column("'negative'"),
    ).label("kind")
    query = (
        select(number, kind, func.count().label("n"))
        .join_from(rows, t.annotations, _a.pk == rows.c.annotation)
        .where(
            _a.status_code.in_((SUCCESS, *WAITING)),
            rows.c.score.is_not(None) | ((rows.c.value > 0) & (rows.c.value < 1)),
        )
        .group_by(literal_column("1"), literal_column("2"))
    )
    counted: dict[tuple[int, str], int] = {}
    for row in conn.execute(query):
        key = min(max(row.number, 0), bins - 1), row.kind
        counted[key] = counted.get(key, 0) + row.n
    older = select(_c.annotation).where(_c.concept == concept).limit(1).offset(newest)
    return [Bin(*key, n) for key, n in sorted(counted.items())], conn.execute(older).first() is not None


@lru_cache(maxsize=256)
def _short_of_their_bin(bins: int) -> tuple[float, ...]:
    """The bins' lower edges whose float32 falls into the bin before: the wire's 0.9 is 0.89999998."""
    wire = [(k, float(np.float32(k / bins))) for k in range(1, bins)]
    return tuple(edge for k, edge in wire if int(edge * bins) < k)


def _floor(conn: Connection, value: ColumnElement[Any]) -> ColumnElement[int]:
    # SQLite cuts off what is behind the point and may lack floor(); PostgreSQL would round. Neither is below 0 here.
    return cast(func.floor(value) if conn.dialect.name == "postgresql" else value, Integer)
