"""Users and their keys. A key's token is never stored, only its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from labelwright.ids import new_id
from labelwright.store.engine import insert_or_ignore, now
from labelwright.store.tables import apps, collaborators, keys, users

PERSONAL_ACCESS_TOKEN = "personal_access_token"  # noqa: S105 (the API's name of the kind, not a secret)
APP_SPECIFIC_KEY = "app_specific_key"


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


def get(conn: Connection, user_id: str) -> Row[Any] | None:
    """One user."""
    return conn.execute(select(users).where(users.c.id == user_id)).first()


def add(conn: Connection, user_id: str, wire: bytes = b"") -> bool:
    """Add a user; False where there is one of that id already."""
    row = {"id": user_id, "wire": wire, "created_at": now()}
    return conn.execute(insert_or_ignore(conn, users).values(row)).rowcount == 1


def by_ids(conn: Connection, ids: Iterable[str]) -> dict[str, Row[Any]]:
    """User id to row, for those that there are."""
    return {row.id: row for row in conn.execute(select(users).where(users.c.id.in_(list(ids))))}


def everybody(conn: Connection) -> list[Row[Any]]:
    """Every user, first come first, with how many ``apps`` and ``keys`` each has."""
    has_apps = select(func.count()).where(apps.c.user_id == users.c.id).scalar_subquery()
    has_keys = select(func.count()).where(keys.c.user_id == users.c.id).scalar_subquery()
    query = select(users, has_apps.label("apps"), has_keys.label("keys")).order_by(users.c.created_at, users.c.id)
    return list(conn.execute(query))


def know_each_other(conn: Connection, one: str, other: str) -> bool:
    """Whether there is an app in which both have a part, as owner or collaborator."""

    def part(user_id: str) -> Select[Any]:
        guest = select(collaborators.c.app).where(collaborators.c.user_id == user_id)
        return select(apps.c.pk).where(or_(apps.c.user_id == user_id, apps.c.pk.in_(guest)))

    shared = part(one).where(apps.c.pk.in_(part(other))).limit(1)
    return conn.execute(shared).first() is not None


# --- keys -----------------------------------------------------------------------------------------


def add_key(
    conn: Connection,
    *,
    user_id: str,
    token: str,
    description: str = "",
    scopes: Sequence[str] = ("All",),
    endpoints: Sequence[str] = (),
    app: int | None = None,
    expires_at: int | None = None,
) -> str:
    """Store a key's hash; returns the key's public id.

    Args:
        app: the key of the one app that it works in; None makes a personal access token.
    """
    public_id = new_id()
    conn.execute(
        insert(keys).values(
            id=public_id,
            hash=token_hash(token),
            user_id=user_id,
            description=description,
            type=PERSONAL_ACCESS_TOKEN if app is None else APP_SPECIFIC_KEY,
            scopes=list(scopes),
            endpoints=list(endpoints) or None,
            app=app,
            created_at=now(),
            expires_at=expires_at,
        )
    )
    return public_id


def find_key(conn: Connection, token: str) -> Row[Any] | None:
    """The key of a token, expired or not; None for an unknown one."""
    return conn.execute(select(keys).where(keys.c.hash == token_hash(token))).first()


def key_by_id(conn: Connection, public_id: str) -> Row[Any] | None:
    """The key with this public id, expired or not; None for an unknown one."""
    return conn.execute(select(keys).where(keys.c.id == public_id)).first()


def _with_app() -> Select[Any]:
    """Keys, with the id and the owner of the app that they are bound to, if any, beside them."""
    return select(keys, apps.c.id.label("app_id"), apps.c.user_id.label("app_user_id")).outerjoin(
        apps, apps.c.pk == keys.c.app
    )


def key_named(conn: Connection, user_id: str | None, name: str) -> Row[Any] | None:
    """A user's key by its public id or by its token; anybody's where no user is given. With its app beside it."""
    query = _with_app().where(or_(keys.c.id == name, keys.c.hash == token_hash(name)))
    return conn.execute(query if user_id is None else query.where(keys.c.user_id == user_id)).first()


def keys_of(
    conn: Connection,
    user_id: str | None,
    *,
    app: int | None = None,
    type: str = "",
    live_at: int | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> list[Row[Any]]:
    """A user's keys, or everybody's, oldest first; with the id and the owner of their apps.

    Args:
        app: only those that are bound to this app.
        type: only those of this type.
        live_at: only those that have not expired by then (microseconds since 1970).
        limit: None for all of them.
    """
    query = _with_app().order_by(keys.c.pk).offset(offset).limit(limit)
    if user_id is not None:
        query = query.where(keys.c.user_id == user_id)
    if app is not None:
        query = query.where(keys.c.app == app)
    if type:
        query = query.where(keys.c.type == type)
    if live_at is not None:
        query = query.where(or_(keys.c.expires_at.is_(None), keys.c.expires_at > live_at))
    return list(conn.execute(query))


def change_key(conn: Connection, public_id: str, **values: Any) -> None:
    """Set columns of a key: description, scopes, endpoints, expires_at."""
    if values:
        conn.execute(update(keys).where(keys.c.id == public_id).values(**values))


def delete_key(conn: Connection, public_id: str) -> None:
    """Forget a key."""
    conn.execute(delete(keys).where(keys.c.id == public_id))
