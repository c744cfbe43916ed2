"""Migrations: they make the tables that the code has, once, whoever asks and how many at a time."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from labelwright.errors import StoreError
from labelwright.store import schema
from labelwright.store.engine import Store
from labelwright.store.tables import metadata


@pytest.fixture
def fresh(store_url: str) -> Store:
    return Store(store_url)


def test_migrations_make_exactly_the_tables(fresh: Store) -> None:
    schema.upgrade(fresh)
    with fresh.read() as conn:
        # SQLite gives an empty text as a default back in other quotes than it got.
        defaults = conn.dialect.name == "postgresql"
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": defaults})
        assert compare_metadata(context, metadata) == []
        assert set(inspect(conn).get_table_names()) == {*metadata.tables, "alembic_version"}
    fresh.close()


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", "labelwright.store:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_upgrading_again_changes_nothing(fresh: Store) -> None:
    with fresh.read() as conn:
        assert schema.revision(conn) is None
    schema.upgrade(fresh)
    with fresh.write() as conn:
        conn.execute(text("INSERT INTO users (id, created_at) VALUES ('kept', 1)"))
    schema.upgrade(fresh)
    with fresh.read() as conn:
        assert schema.revision(conn) == schema.HEAD
        assert conn.execute(text("SELECT id FROM users")).scalars().all() == ["kept"]
    fresh.close()


_UPGRADE = """
import sys
from labelwright.store import schema
from labelwright.store.engine import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
schema.upgrade(store)
store.close()
"""


def test_processes_that_upgrade_at_once_do_not_disturb_each_other(store_url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _UPGRADE, store_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60)[1] for process in started]
    assert [p.returncode for p in started] == [0] * 4, "\n".join(ended)
    store = Store(store_url)
    with store.read() as conn:
        assert schema.revision(conn) == schema.HEAD
    store.close()


def test_a_database_of_a_newer_release_is_refused(fresh: Store) -> None:
    schema.upgrade(fresh)
    with fresh.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"revision 9999.*newer one"):
        schema.upgrade(fresh)
    with fresh.read() as conn:
        assert schema.revision(conn) == "9999"
    fresh.close()


def test_a_database_that_is_not_there_is_one_clear_line() -> None:
    for url in ("sqlite:////nowhere/at/all.db", "postgresql://user:secret@127.0.0.1:1/database?connect_timeout=5"):
        store = Store(url)
        with pytest.raises(StoreError, match="can't be opened") as caught:
            schema.upgrade(store)
        assert "\n" not in caught.value.details
        assert "secret" not in caught.value.details
        store.close()
