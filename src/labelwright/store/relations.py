"""Relations between concepts: the subject is a concept of the app, the object may be another app's.

A relation has two forms, "honey hyponym food" and "food hypernym honey"; the one that was given is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, insert, or_, select, tuple_

from labelwright.store.engine import now
from labelwright.store.tables import apps, concepts, relations

INVERSE = {"synonym": "synonym", "hypernym": "hyponym", "hyponym": "hypernym"}
"""Predicate to the one that says the same with subject and object swapped."""


class Edge(NamedTuple):
    """What a relation says; subject and object are concept keys."""

    subject: int
    predicate: str
    object: int
    knowledge_graph_id: str

    def turned(self) -> Edge:
        """The same, said the other way round."""
        return Edge(self.object, INVERSE[self.predicate], self.subject, self.knowledge_graph_id)


def add(conn: Connection, app: int, edges: Mapping[str, Edge]) -> None:
    """Insert relations by their id. The caller has looked that none is there already."""
    at = now()
    rows = [{"app": app, "id": i, "created_at": at, **edge._asdict()} for i, edge in edges.items()]
    conn.execute(insert(relations), rows)


def present(conn: Connection, app: int, edges: Iterable[Edge]) -> set[Edge]:
    """Those of ``edges`` that the app has, in the form given or turned round."""
    given = list(edges)
    columns = (
        relations.c.subject,
        relations.c.predicate,
        relations.c.object,
        relations.c.knowledge_graph_id,
    )
    forms = {tuple(form) for edge in given for form in (edge, edge.turned())}
    query = select(*columns).where(relations.c.app == app, tuple_(*columns).in_(forms))
    stored = {Edge(*row) for row in conn.execute(query)}
    return {edge for edge in given if edge in stored or edge.turned() in stored}


def page(
    conn: Connection,
    app: int,
    *,
    ends: Sequence[int] | None = None,
    predicate: str = "",
    knowledge_graph_id: str = "",
    offset: int,
    limit: int,
) -> list[Row[Any]]:
    """An app's relations as they are stored, oldest first.

    Args:
        ends: only relations with one of these concepts at either end; None means all.
        predicate: only relations that say this in one of their forms: of the two, the one that begins with
            a concept of ``ends`` counts; without ``ends``, either.
        knowledge_graph_id: only this graph's; "" means all.
    """
    query = select(relations).where(relations.c.app == app)
    forward: list[ColumnElement[bool]] = []
    backward: list[ColumnElement[bool]] = []
    if ends is not None:
        forward.append(relations.c.subject.in_(ends))
        backward.append(relations.c.object.in_(ends))
    if predicate:
        forward.append(relations.c.predicate == predicate)
        backward.append(relations.c.predicate == INVERSE[predicate])
    if forward:
        query = query.where(or_(and_(*forward), and_(*backward)))
    if knowledge_graph_id:
        query = query.where(relations.c.knowledge_graph_id == knowledge_graph_id)
    return list(conn.execute(query.order_by(relations.c.pk).offset(offset).limit(limit)))


def foreign_ends(conn: Connection, app: int, concept_id: str) -> list[int]:
    """The keys of other apps' concepts of this id that relations of the app point at."""
    query = (
        select(concepts.c.pk)
        .join(relations, relations.c.object == concepts.c.pk)
        .where(relations.c.app == app, concepts.c.id == concept_id, concepts.c.app != app)
    )
    return [row.pk for row in conn.execute(query.distinct())]


def by_ids(conn: Connection, app: int, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """Relation id to row, for those of ``ids`` that the app has."""
    query = select(relations).where(relations.c.app == app, relations.c.id.in_(list(ids)))
    return {row.id: row for row in conn.execute(query)}


def remove(conn: Connection, pks: Iterable[int]) -> None:
    """Delete relations."""
    conn.execute(delete(relations).where(relations.c.pk.in_(list(pks))))


def snapshot(conn: Connection, app: int) -> list[Row[Any]]:
    """All relations of an app in one query, oldest first.

    Each row has predicate and knowledge_graph_id and, for subject and object each, user_id, app_id, id and
    name: ``subject_user_id``, ``subject_app_id``, ``subject_id``, ``subject_name``, ``object_user_id`` and
    so on.
    """
    return list(conn.execute(_SNAPSHOT.where(relations.c.app == app).order_by(relations.c.pk)))


def _snapshot() -> Select[Any]:
    joined: Any = relations
    columns: list[Any] = [relations.c.predicate, relations.c.knowledge_graph_id]
    for end in ("subject", "object"):
        concept, app = concepts.alias(end), apps.alias(f"{end}_app")
        joined = joined.join(concept, concept.c.pk == relations.c[end]).join(app, app.c.pk == concept.c.app)
        columns += [
            app.c.user_id.label(f"{end}_user_id"),
            app.c.id.label(f"{end}_app_id"),
            concept.c.id.label(f"{end}_id"),
            concept.c.name.label(f"{end}_name"),
        ]
    return select(*columns).select_from(joined)


_SNAPSHOT = _snapshot()
