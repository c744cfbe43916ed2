"""What inputs are labelled with, and their vectors: the raw rows from which a model learns."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from labelwright.store import tables as t

SUCCESS = 24150
"""The status of an annotation that counts as a label."""

_a, _c = t.annotations.c, t.annotation_concepts.c

_SPOKEN = (
    select(_a.input, _c.concept, _c.value, _a.origin, _a.modified_at, _a.pk)
    .join_from(t.annotation_concepts, t.annotations, _c.annotation == _a.pk)
    .where(
        _c.concept == bindparam("of_concept"),
        # About the whole input: what a region shows says nothing of the vector of the input.
        _c.slot == -1,
        _a.app == bindparam("of_app"),
        _a.status_code == SUCCESS,
    )
)


def spoken(conn: Connection, app: int, concepts: Collection[int]) -> Iterator[Any]:
    """All that success annotations say of these concepts: input, concept, value, origin, modified_at, pk."""
    # Concept by concept: the index begins with it, and lists without limit are no matter.
    for concept in concepts:
        yield from conn.execute(_SPOKEN, {"of_app": app, "of_concept": concept})


def labelled(conn: Connection, app: int) -> list[str]:
    """The ids of an app's concepts that a success annotation names of a whole input, oldest concept first."""
    named = (
        select(_a.pk)
        .join_from(t.annotation_concepts, t.annotations, _c.annotation == _a.pk)
        .where(_c.concept == t.concepts.c.pk, _c.slot == -1, _a.status_code == SUCCESS)
        .exists()
    )
    query = select(t.concepts.c.id).where(t.concepts.c.app == app, named).order_by(t.concepts.c.pk)
    return list(conn.execute(query).scalars())


def concept_keys(conn: Connection, app: int, ids: Sequence[str]) -> dict[str, int]:
    """Concept id to key, for those that the app has."""
    found: dict[str, int] = {}
    for some in _chunks(ids):
        query = select(t.concepts.c.id, t.concepts.c.pk).where(t.concepts.c.app == app, t.concepts.c.id.in_(some))
        found.update((row.id, row.pk) for row in conn.execute(query))
    return found


def vectors(conn: Connection, inputs: Sequence[int], embedder: str) -> Iterator[tuple[int, bytes]]:
    """Input key and vector (float32, little-endian), of those inputs that have one of this embedder's version."""
    e = t.embeddings.c
    for some in _chunks(inputs):
        query = select(e.input, e.vector).where(e.input.in_(some), e.model_version_id == embedder)
        for row in conn.execute(query):
            yield row.input, bytes(row.vector)


def with_vector(conn: Connection, app: int, embedder: str) -> list[int]:
    """The keys of an app's inputs that have a vector of this embedder's version."""
    e = t.embeddings.c
    query = select(e.input).join(t.inputs, t.inputs.c.pk == e.input)
    return list(conn.execute(query.where(t.inputs.c.app == app, e.model_version_id == embedder)).scalars())


def inputs_of(conn: Connection, app: int, pks: Sequence[int], *, lock: bool = False) -> list[Row[Any]]:
    """Inputs by key, as far as they are there, in the order of their keys: pk, id, wire, media.

    ``lock``: nobody else, an annotator included, writes anything of theirs until the transaction ends.
    """
    i = t.inputs.c
    query = select(i.pk, i.id, i.wire, i.media).where(i.app == app, i.pk.in_(list(pks))).order_by(i.pk)
    return list(conn.execute(query.with_for_update() if lock else query))


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    # SQLite takes 32,766 values in one statement.
    return (values[i : i + 10_000] for i in range(0, len(values), 10_000))
