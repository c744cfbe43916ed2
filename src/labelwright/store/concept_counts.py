"""How many inputs are labelled with a concept, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select

from labelwright.store import tables as t

SUCCESS = 24150
"""The status of an annotation that is a label."""

MAX_CONCEPTS = 30_000
"""Concepts that one query is asked about; SQLite takes 32,766 values."""

# A number in the text: PostgreSQL would take two parameters of the same value for two expressions.
_PRESENT = (t.annotation_concepts.c.value > literal_column("0")).label("present")

# One look at each label of the concepts asked about: found through the index of annotation_concepts by concept.
_COUNTS = (
    select(
        t.annotation_concepts.c.concept,
        t.inputs.c.status_code,
        _PRESENT,
        func.count(t.inputs.c.pk.distinct()).label("n"),
    )
    .join(t.annotations, t.annotations.c.pk == t.annotation_concepts.c.annotation)
    .join(t.inputs, t.inputs.c.pk == t.annotations.c.input)
    .where(
        t.annotation_concepts.c.concept.in_(bindparam("concepts", expanding=True)),
        t.annotations.c.status_code == SUCCESS,
    )
    .group_by(t.annotation_concepts.c.concept, t.inputs.c.status_code, _PRESENT)
)


def of_concepts(conn: Connection, pks: Sequence[int]) -> list[Row[Any]]:
    """How many inputs each of these concepts is a label of.

    Returns:
        Rows of concept, status_code (the inputs'), present (whether the value is above 0) and n. An input with
        several labels of a concept counts once for each of the two.
    """
    return list(conn.execute(_COUNTS, {"concepts": list(pks)})) if pks else []


def inputs_page(conn: Connection, app: int, pks: Sequence[int], *, offset: int, limit: int) -> list[Row[Any]]:
    """The inputs of an app that have one of these concepts as a label, positive or negative; newest first.

    Args:
        pks: concepts of the app, `MAX_CONCEPTS` at most; no label of another app names them.
    """
    if not pks:
        return []
    a, of = t.annotations.c, t.annotation_concepts.c
    # By the concepts' index first, and without the app, whose index SQLite would walk for each concept: of 100,000
    # labels of 1,000 concepts that took 118 s, this 0.4 s.
    having = select(of.annotation).where(of.concept.in_(bindparam("concepts", expanding=True)))
    labelled = (
        select(a.input)
        .where(a.pk.in_(having), a.status_code == SUCCESS)
        .distinct()
        .order_by(a.input.desc())
        .offset(offset)
        .limit(limit)
    )
    found = list(conn.execute(labelled, {"concepts": list(pks)}).scalars())
    query = select(t.inputs).where(t.inputs.c.app == app, t.inputs.c.pk.in_(bindparam("pks", expanding=True)))
    return list(conn.execute(query.order_by(t.inputs.c.pk.desc()), {"pks": found})) if found else []
