"""The names of concepts in other languages than their app's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_, update

from labelwright.store.engine import now
from labelwright.store.tables import apps, concept_languages, concepts

_CHUNK = 1000
"""Concepts a query: three values each, and SQLite takes 32,766."""


def add(conn: Connection, concept: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert names given as language, name and definition. The caller has looked that the languages are free."""
    at = now()
    conn.execute(
        insert(concept_languages), [{"concept": concept, "created_at": at, "modified_at": at, **r} for r in rows]
    )


def change(conn: Connection, concept: int, language: str, **values: Any) -> None:
    """Set columns of a name."""
    query = update(concept_languages).where(
        concept_languages.c.concept == concept, concept_languages.c.language == language
    )
    conn.execute(query.values(modified_at=now(), **values))


def by_languages(conn: Connection, concept: int, languages: Iterable[str]) -> dict[str, Row[Any]]:
    """Language to row, for those of ``languages`` that the concept has a name in."""
    query = select(concept_languages).where(
        concept_languages.c.concept == concept, concept_languages.c.language.in_(set(languages))
    )
    return {row.language: row for row in conn.execute(query)}


def page(conn: Connection, concept: int, *, apart: str, offset: int, limit: int) -> list[Row[Any]]:
    """A concept's names by language, without the language ``apart``."""
    query = select(concept_languages).where(
        concept_languages.c.concept == concept, concept_languages.c.language != apart
    )
    return list(conn.execute(query.order_by(concept_languages.c.language).offset(offset).limit(limit)))


def of_concepts(conn: Connection, pks: Iterable[int], language: str) -> dict[int, Row[Any]]:
    """Concept key to its name in one language, for those that have one."""
    wanted = list(pks)
    found: dict[int, Row[Any]] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = select(concept_languages).where(
            concept_languages.c.concept.in_(wanted[start : start + _CHUNK]),
            concept_languages.c.language == language,
        )
        found |= {row.concept: row for row in conn.execute(query)}
    return found


def of_names(
    conn: Connection, names: Iterable[tuple[str, str, str]], language: str
) -> dict[tuple[str, str, str], Row[Any]]:
    """(Owner, app id, concept id) to the concept's name in one language, for those that have one."""
    wanted = list(names)
    found: dict[tuple[str, str, str], Row[Any]] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = (
            select(concept_languages, apps.c.user_id, apps.c.id.label("app_id"), concepts.c.id.label("concept_id"))
            .join(concepts, concepts.c.pk == concept_languages.c.concept)
            .join(apps, apps.c.pk == concepts.c.app)
            .where(
                concept_languages.c.language == language,
                tuple_(apps.c.user_id, apps.c.id, concepts.c.id).in_(wanted[start : start + _CHUNK]),
            )
        )
        found |= {(row.user_id, row.app_id, row.concept_id): row for row in conn.execute(query)}
    return found
