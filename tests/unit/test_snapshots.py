"""Reading connections that are kept: what a block leaves behind is nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelwright.errors import DoesNotExist
from labelwright.store import schema, users
from labelwright.store.engine import Store


@pytest.mark.parametrize("error", [DoesNotExist("no"), ValueError("a bug")])
def test_after_an_error_the_next_one_reads_what_is_there_now(tmp_path: Path, error: Exception) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    schema.upgrade(store)
    with store.write() as conn:
        for name in ("a", "b", "c"):
            users.add(conn, name)
    held = None
    with pytest.raises(type(error)), store.read() as conn:  # noqa: PT012 (what the block leaves open is the test)
        held = conn.exec_driver_sql("SELECT id FROM users")
        assert held.fetchone() is not None
        if isinstance(error, DoesNotExist):
            held.close()
        raise error
    with store.write() as conn:
        users.add(conn, "later")
    with store.read() as conn:
        assert users.get(conn, "later") is not None
    store.close()
