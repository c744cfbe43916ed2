"""The labels that inputs have already: what a run may replace, and what a person's word protects."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import BindParameter, Connection, Row, bindparam, delete, insert, select

from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept

# Built once: every batch asks both, and SQLAlchemy would look at each of an IN's 512 values to build it.
_IN_INPUTS: BindParameter[Any] = bindparam("inputs", expanding=True)
_OF_INPUTS = select(t.annotations).where(t.annotations.c.input.in_(_IN_INPUTS))
_REJECTIONS = (
    select(t.rejections.c.input, t.rejections.c.wire, t.rejections.c.slot, t.concepts.c.id.label("concept_id"))
    .join(t.concepts, t.concepts.c.pk == t.rejections.c.concept)
    .where(t.rejections.c.input.in_(_IN_INPUTS))
)


def of_inputs(conn: Connection, pks: Sequence[int]) -> list[Row[Any]]:
    """Every annotation of these inputs."""
    return list(conn.execute(_OF_INPUTS, {"inputs": pks}))


def concepts_of(conn: Connection, annotations: Iterable[int]) -> dict[int, list[Row[Any]]]:
    """Annotation key to the rows of its concepts, in order, each with the concept's id."""
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for pks in _chunks(list(annotations)):
        query = (
            select(t.annotation_concepts, t.concepts.c.id.label("concept_id"))
            .join(t.concepts, t.concepts.c.pk == t.annotation_concepts.c.concept)
            .where(t.annotation_concepts.c.annotation.in_(pks))
            .order_by(t.annotation_concepts.c.annotation, t.annotation_concepts.c.position)
        )
        for row in conn.execute(query):
            found[row.annotation].append(row)
    return dict(found)


def rejections_of(conn: Connection, inputs: Sequence[int]) -> list[Row[Any]]:
    """What people have rejected on these inputs: input, wire, slot, concept_id."""
    return list(conn.execute(_REJECTIONS, {"inputs": inputs}))


def remove(conn: Connection, pks: Sequence[int]) -> None:
    """Delete annotations by key."""
    for some in _chunks(pks):
        conn.execute(delete(t.annotations).where(t.annotations.c.pk.in_(some)))


def _chunks(pks: Sequence[int]) -> Iterator[Sequence[int]]:
    # SQLite takes 32,766 values in one statement; a batch of 4096 inputs may have more annotations than that.
    return (pks[i : i + 10_000] for i in range(0, len(pks), 10_000))


_KEPT = (
    "id",
    "user_id",
    "status_code",
    "origin",
    "trusted",
    "model_version_id",
    "workflow_version_id",
    "run",
    "task_id",
    "annotation_info",
)


def freeze(row: Row[Any], concepts: Sequence[Row[Any]]) -> dict[str, Any]:
    """An annotation as JSON, for the journal."""
    frozen = {name: getattr(row, name) for name in _KEPT}
    frozen["wire"] = base64.b64encode(row.wire).decode()
    frozen["concepts"] = [[c.concept, c.value, c.score, c.slot] for c in concepts]
    return frozen


def thaw(pk: int, frozen: Mapping[str, Any]) -> NewAnnotation:
    """The inverse of `freeze`, for the input with key ``pk``."""
    return NewAnnotation(
        input=pk,
        wire=base64.b64decode(frozen["wire"]),
        concepts=[NewConcept(concept, value, score, slot) for concept, value, score, slot in frozen["concepts"]],
        **{name: frozen[name] for name in _KEPT},
    )


def put_embeddings(conn: Connection, rows: Sequence[tuple[int, str, np.ndarray[Any, Any]]]) -> None:
    """Store embeddings: input key, the embedder's version, the vector. One that is there is replaced."""
    if not rows:
        return
    for version in {version for _, version, _ in rows}:
        pks = [pk for pk, v, _ in rows if v == version]
        conn.execute(
            delete(t.embeddings).where(t.embeddings.c.input.in_(pks), t.embeddings.c.model_version_id == version)
        )
    conn.execute(
        insert(t.embeddings),
        [
            {"input": pk, "model_version_id": version, "vector": np.asarray(v, dtype="<f4").tobytes()}
            for pk, version, v in rows
        ],
    )
