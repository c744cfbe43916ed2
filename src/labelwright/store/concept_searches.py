"""Searching an app's concepts by their names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, case, exists, func, or_, select, true

from labelwright.store.tables import concept_languages, concepts

_ESCAPE = "\\"


def like_pattern(text: str) -> str:
    """A text in which ``*`` stands for any characters, as a pattern of LIKE."""
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text.replace("*", "%")


def is_like(column: Column[Any], text: str) -> ColumnElement[bool]:
    """Whether a column is a text in which ``*`` stands for any characters; case does not count.

    Which letters have two cases is the database's matter: SQLite knows those of ASCII alone.
    """
    return func.lower(column).like(func.lower(like_pattern(text)), escape=_ESCAPE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which concepts."""

    apps: Sequence[int]
    """Those of these apps, in this order."""
    name: str = ""
    """Called so, with ``*`` as the wild card; "" takes every name."""
    language: str = ""
    """The name in this language; "" is each app's own."""
    own: Collection[int] = ()
    """The apps whose own language it is."""

    def condition(self) -> ColumnElement[bool]:
        """As a WHERE over `concepts`."""
        names = is_like(concepts.c.name, self.name) if self.name else true()
        mine = concepts.c.app.in_(list(self.apps))
        if not self.language:
            return and_(mine, names)
        there = (concept_languages.c.concept == concepts.c.pk, concept_languages.c.language == self.language)
        named = is_like(concept_languages.c.name, self.name) if self.name else true()
        translated = exists(select(1).select_from(concept_languages).where(*there, named))
        return and_(mine, or_(and_(concepts.c.app.in_(list(self.own)), names), translated))


def count(conn: Connection, wanted: Wanted) -> int:
    """How many there are."""
    if not wanted.apps:
        return 0
    return int(conn.execute(select(func.count()).select_from(concepts).where(wanted.condition())).scalar_one())


def page(conn: Connection, wanted: Wanted, *, offset: int, limit: int) -> list[Row[Any]]:
    """Some of them: app by app, oldest first."""
    if not wanted.apps:
        return []
    place = case({app: i for i, app in enumerate(wanted.apps)}, value=concepts.c.app)
    query = select(concepts).where(wanted.condition()).order_by(place, concepts.c.pk)
    return list(conn.execute(query.offset(offset).limit(limit)))
