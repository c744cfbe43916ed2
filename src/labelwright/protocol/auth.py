"""Who calls: the key in the authorization metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping

from labelwright.errors import KeyInvalid, KeyNotFound, NoCredentials
from labelwright.store import users
from labelwright.store.engine import Store, now

_TOKEN = re.compile(r"[0-9a-f]{32}\Z")


def authenticate(store: Store, metadata: Mapping[str, str]) -> str:
    """The id of the user whose key came with the call.

    Raises:
        NoCredentials: there is no ``authorization: Key …``.
        KeyInvalid: what came can't be a key of ours, or the key has expired.
        KeyNotFound: it looks like a key, and nobody has it.
    """
    kind, _, token = metadata.get("authorization", "").strip().partition(" ")
    token = token.strip()
    if kind.lower() != "key" or not token:
        raise NoCredentials("Empty or malformed authorization header. Please provide an API key or session token.")
    with store.read() as conn:
        key = users.find_key(conn, token)
    if key is None:
        if _TOKEN.match(token):
            raise KeyNotFound("nobody has this key: look it up where the server was first started")
        raise KeyInvalid("Invalid format of key.")
    if key.expires_at is not None and key.expires_at <= now():
        raise KeyInvalid("the key has expired")
    user_id: str = key.user_id
    return user_id
