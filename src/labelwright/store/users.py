"""Users and their keys. A key's token is never stored, only its hash."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from labelwright.ids import new_id
from labelwright.store.engine import insert_or_ignore, now
from labelwright.store.tables import keys, users

PERSONAL_ACCESS_TOKEN = "personal_access_token"  # noqa: S105 (the API's name of the kind, not a secret)


def token_hash(token: str) -> bytes:
    """SHA-256 of a token. Tokens are 128 random bits, so that a slow hash would add nothing."""
    return hashlib.sha256(token.encode()).digest()


def ensure_user(conn: Connection, user_id: str) -> None:
    """Add the user where there is none of that id."""
    conn.execute(insert_or_ignore(conn, users).values(id=user_id, created_at=now()))


def first_user(conn: Connection, besides: str) -> str | None:
    """The id of the user who was added first, not counting ``besides``; None in an empty store."""
    found: str | None = conn.execute(
        select(users.c.id).where(users.c.id != besides).order_by(users.c.created_at).limit(1)
    ).scalar()
    return found


def has_keys(conn: Connection, user_id: str) -> bool:
    """Whether the user has any key."""
    return conn.execute(select(keys.c.pk).where(keys.c.user_id == user_id).limit(1)).first() is not None


def add_key(
    conn: Connection,
    *,
    user_id: str,
    token: str,
    description: str = "",
    scopes: list[str] | None = None,
    expires_at: int | None = None,
) -> str:
    """Store a personal access token's hash; returns the key's public id."""
    public_id = new_id()
    conn.execute(
        insert(keys).values(
            id=public_id,
            hash=token_hash(token),
            user_id=user_id,
            description=description,
            type=PERSONAL_ACCESS_TOKEN,
            scopes=scopes if scopes is not None else ["All"],
            created_at=now(),
            expires_at=expires_at,
        )
    )
    return public_id


def find_key(conn: Connection, token: str) -> Row[Any] | None:
    """The key of a token, expired or not; None for an unknown one."""
    return conn.execute(select(keys).where(keys.c.hash == token_hash(token))).first()


def expire_key(conn: Connection, public_id: str, at: int) -> None:
    """Let a key end at a time (microseconds since 1970)."""
    conn.execute(update(keys).where(keys.c.id == public_id).values(expires_at=at))


def delete_key(conn: Connection, public_id: str) -> None:
    """Forget a key."""
    conn.execute(delete(keys).where(keys.c.id == public_id))
