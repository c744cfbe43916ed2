"""What Alembic runs: the connection comes from `labelwright.store.schema`."""

from __future__ import annotations

from alembic import context

from labelwright.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
context.run_migrations()
