"""How an app stands: its annotations by status and origin, what is labelled, and each concept's labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal_column, select

from labelwright.store import tables as t

SUCCESS, PENDING, FLAGGED = 24150, 24151, 24157
WAITING = (PENDING, FLAGGED)
"""The statuses of annotations that wait for a person."""

_a, _c = t.annotations.c, t.annotation_concepts.c


class ConceptCount(NamedTuple):
    """How many labels of a concept there are with one status."""

    concept: int
    """The concept's key."""
    status_code: int
    present: bool
    """Whether their value is above 0, as the API's own counts tell a yes from a no."""
    n: int


class Counts(NamedTuple):
    """What was counted over an app, or over some of its inputs."""

    annotations: dict[tuple[int, int], int]
    """Status code and origin to the number of annotations; without an input's own where it has no concept."""
    covered: int
    """Inputs with a label that a model gave by itself."""
    labelled: int
    """Inputs with a label, whoever gave it."""
    concepts: list[ConceptCount]


def _queries(where: ColumnElement[bool]) -> tuple[Any, Any, Any]:
    here = where & _a.listed
    # What is said of an input without a concept (its metadata) is no label, and nobody annotated it.
    label = select(literal_column("1")).where(_c.annotation == _a.pk).exists()
    # Beside an OR, PostgreSQL may answer EXISTS by reading all concepts into a table first; a value is looked up.
    one: ColumnElement[int] = literal_column("1")
    spoken = select(one).where(_c.annotation == _a.pk).limit(one).scalar_subquery().is_not(None)
    statuses = select(_a.status_code, _a.origin, func.count().label("n")).where(here, ~_a.input_level | spoken)
    # One row an input, which the index by input gives in order: nothing is sorted.
    inputs = select(_a.input, func.max(_is_auto()).label("auto")).where(here, _a.status_code == SUCCESS, label)
    grouped = inputs.group_by(_a.input).subquery()
    labelled = select(func.count(), func.coalesce(func.sum(grouped.c.auto), 0)).select_from(grouped)
    # A number in the text: PostgreSQL would take two parameters of the same value for two expressions.
    present = (_c.value > literal_column("0")).label("present")
    concepts = (
        select(_c.concept, _a.status_code, present, func.count().label("n"))
        .join_from(t.annotations, t.annotation_concepts, _c.annotation == _a.pk)
        .where(here, _a.status_code.in_((SUCCESS, *WAITING)))
    )
    return (
        statuses.group_by(_a.status_code, _a.origin),
        labelled,
        concepts.group_by(_c.concept, _a.status_code, present),
    )


def _is_auto() -> ColumnElement[int]:
    # No case(): its parameter would stand before the others', and a comparison is a number on SQLite alone.
    return literal_column(f"CASE WHEN annotations.origin = {t.MODEL} THEN 1 ELSE 0 END")


_OF_APP = _queries(_a.app == bindparam("of_app"))
_OF_INPUTS = _queries(_a.input.in_(bindparam("inputs", expanding=True)))


def by_index(conn: Connection) -> None:
    """Have the bounded queries of this transaction go by the indexes.

    PostgreSQL reckons with disks on which each look-up costs as much as four pages in a row, and read a table of a
    million rows from end to end to look 4,000 of them up: 145 ms where these took 15.
    """
    if conn.dialect.name == "postgresql":
        for what in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):
            conn.exec_driver_sql(f"SET LOCAL enable_{what} = off")


def count(conn: Connection, app: int) -> Counts:
    """Count all that an app has: a second or more for each million annotations."""
    return _counted(conn, _OF_APP, {"of_app": app})


def count_of(conn: Connection, inputs: Sequence[int]) -> Counts:
    """Count what some inputs have (keys, 30,000 at most)."""
    return _counted(conn, _OF_INPUTS, {"inputs": list(inputs)})


def _counted(conn: Connection, queries: tuple[Any, Any, Any], values: dict[str, Any]) -> Counts:
    statuses, labelled, concepts = (conn.execute(query, values).all() for query in queries)
    return Counts(
        {(row.status_code, row.origin): row.n for row in statuses},
        covered=int(labelled[0][1]),
        labelled=int(labelled[0][0]),
        concepts=[ConceptCount(row.concept, row.status_code, bool(row.present), row.n) for row in concepts],
    )


def has_more_than(conn: Connection, app: int, annotations: int) -> bool:
    """Whether an app has more annotations than that."""
    query = select(_a.pk).where(_a.app == app).limit(1).offset(annotations)
    return conn.execute(query).first() is not None


def spread(conn: Connection, app: int, *, windows: int, each: int) -> list[int]:
    """Keys of inputs from all over an app: ``each`` that follow one another, from as many places as ``windows``."""
    pk = t.inputs.c.pk
    here = t.inputs.c.app == app
    first = conn.execute(select(func.min(pk)).where(here)).scalar()
    last = conn.execute(select(func.max(pk)).where(here)).scalar()
    if first is None or last is None:
        return []
    query = select(pk).where(here, pk >= bindparam("start")).order_by(pk).limit(each)
    found: dict[int, None] = {}
    for k in range(windows):
        start = first + (last - first) * k // windows
        found.update(dict.fromkeys(conn.execute(query, {"start": start}).scalars()))
    return list(found)


def concepts_total(conn: Connection, app: int) -> int:
    """How many concepts an app has."""
    return int(conn.execute(select(func.count()).where(t.concepts.c.app == app)).scalar_one())
