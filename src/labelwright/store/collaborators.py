"""Collaborators: people whom an app's owner lets in, and what they may do there."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from labelwright.store.tables import collaborators


def of(conn: Connection, app: int, user_id: str) -> Row[Any] | None:
    """A user's row as a collaborator of an app; None for who is none."""
    query = select(collaborators).where(collaborators.c.app == app, collaborators.c.user_id == user_id)
    return conn.execute(query).first()
