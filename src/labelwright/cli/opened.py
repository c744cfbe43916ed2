"""Opening the store for a command that needs one which is there already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Row

from labelwright import config
from labelwright.errors import ConfigurationError, DoesNotExist
from labelwright.models.catalogue import PUBLIC_USER
from labelwright.store import apps, schema, users
from labelwright.store.engine import Store


@contextmanager
def opened(home: Path | None) -> Iterator[tuple[config.Settings, Store]]:
    """The settings and the store, brought to the newest schema.

    Raises:
        ConfigurationError: there is no store yet.
    """
    settings = config.load(home=home)
    if settings.database_url is None and not (settings.home / "labelwright.db").exists():
        raise ConfigurationError(
            f"there is no store in {settings.home}: start one with  labelwright serve, or name its home with --home"
        )
    # As for a server: what a command adds beside the store, such as its log, is the owner's alone.
    os.umask(0o077)
    store = Store(settings.store_url)
    try:
        schema.upgrade(store)
        yield settings, store
    finally:
        store.close()


def find_app(conn: Connection, name: str) -> Row[Any]:
    """An app named as ID or USER/ID; without a user, the owner's.

    Raises:
        DoesNotExist: there is none.
    """
    user_id, _, app_id = name.rpartition("/")
    owner = user_id or users.first_user(conn, besides=PUBLIC_USER) or ""
    row = apps.get(conn, owner, app_id)
    if row is None:
        raise DoesNotExist(f"user {owner!r} has no app {app_id!r}")
    return row


def show(table: Table) -> None:
    """Print a table: folded into the terminal, with nothing cut off; at its full width where there is none."""
    for column in table.columns:
        column.overflow = "fold"
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # For a file or a pipe: the 80 columns that stand for "unknown" would cut lines that programs read.
        console = Console(width=1000)
    console.print(table)
