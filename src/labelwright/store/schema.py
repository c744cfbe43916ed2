"""Bringing a database to the schema that this code needs."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from labelwright.errors import StoreError
from labelwright.store.engine import Store

HEAD = "0005"
"""The newest migration; a test holds it against the folder."""


def revision(conn: Connection) -> str | None:
    """The migration that the database stands at; None for an empty one."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    found: str | None = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(store: Store) -> None:
    """Run the migrations that are missing; several processes may call it at once.

    Raises:
        StoreError: the database can't be reached, or was written by a newer release.
    """
    try:
        with store.read() as conn:
            if revision(conn) == HEAD:
                return
    except OperationalError as e:
        where = store.engine.url.render_as_string(hide_password=True)
        raise StoreError(f"the database {where} can't be opened: {' '.join(str(e.orig).split())}") from e
    # Alembic's import takes some 0.1 s, which a database that is up to date need not pay.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "labelwright.store:migrations")
    with store.write() as conn:
        if conn.dialect.name == "postgresql":
            # Two servers that start at once: the second waits here and then finds nothing to do.
            conn.execute(text("SELECT pg_advisory_xact_lock(7163019)"))
        found = revision(conn)
        known = {s.revision for s in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise StoreError(
                f"the database stands at revision {found}, which this release does not know; "
                "it was written by a newer one: start that, or restore a backup"
            )
        config.attributes["connection"] = conn
        command.upgrade(config, "head")
