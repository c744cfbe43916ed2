"""Random secrets that all servers on one store share."""

from __future__ import annotations

import secrets

from sqlalchemy import select

from labelwright.store import tables as t
from labelwright.store.engine import Store, insert_or_ignore

BYTES = 32


def get_or_create(store: Store, name: str) -> bytes:
    """The secret of that name: 32 random bytes, drawn where there is none yet.

    Of several servers that ask at once, one draws it and all get the same.
    """
    query = select(t.secrets.c.value).where(t.secrets.c.name == name)
    with store.read() as conn:
        found: bytes | None = conn.execute(query).scalar()
    if found is None:
        with store.write() as conn:
            conn.execute(insert_or_ignore(conn, t.secrets).values(name=name, value=secrets.token_bytes(BYTES)))
            found = conn.execute(query).scalar_one()
    # A driver may give a memoryview.
    return bytes(found)
