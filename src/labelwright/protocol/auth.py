"""Who calls, and what they may: the key in the authorization metadata, its scopes, its rate."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from labelwright.errors import InsufficientScopes, KeyInvalid, KeyNotFound, NoCredentials, Throttled
from labelwright.protocol.methods import Method, by_path
from labelwright.protocol.scopes import ALL, closed
from labelwright.protocol.sessions import Session, Sessions
from labelwright.store import secrets, users
from labelwright.store.engine import Store, now

REMEMBERED = 1.0
"""Seconds for which a key that was found is not looked up again: a look-up costs as much as a small call. A key
that another process deletes may work for so long; one that this process changes is forgotten at once."""

_KEPT = 10_000
"""Keys that are remembered at most."""

_TOKEN = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Rights:
    """What a key or a collaborator is allowed."""

    scopes: frozenset[str]
    """Names of the API's scopes, such as ``Inputs_Get``; or `ALL`."""
    endpoints: frozenset[str] = frozenset()
    """Single RPCs besides, by their gRPC paths."""

    @classmethod
    def of(cls, scopes: Collection[str], endpoints: Collection[str] | None) -> Rights:
        """As the store keeps them."""
        return cls(frozenset(scopes), frozenset(endpoints or ()))

    def missing(self, method: Method) -> frozenset[str]:
        """The scopes that a call needs beyond these."""
        if ALL in self.scopes or method.path in self.endpoints:
            return frozenset()
        return method.scopes - self.scopes

    def beyond(self, others: Rights) -> list[str]:
        """What these lack of others: the names of scopes and the paths of RPCs, sorted; none where they hold all."""
        if ALL in self.scopes:
            return []
        scopes = closed(others.scopes) - self.scopes
        paths = [p for p in others.endpoints if (m := by_path().get(p)) is None or self.missing(m)]
        return [*sorted(scopes), *sorted(paths)]

    def within(self, others: Rights) -> Rights:
        """What both these and others allow: a call is allowed by the result where it is by either."""
        if ALL in others.scopes:
            return self
        if ALL in self.scopes:
            return others
        paths = (self.endpoints | others.endpoints) & by_path().keys()
        both = {p for p in paths if not self.missing(by_path()[p]) and not others.missing(by_path()[p])}
        return Rights(self.scopes & others.scopes, frozenset(both))

    def check(self, method: Method, whose: str) -> None:
        """Pass for a call that is allowed.

        Raises:
            InsufficientScopes: it is not; says which scopes are missing.
        """
        if missing := self.missing(method):
            raise InsufficientScopes(f"{method.name} needs scopes that {whose} lacks: {', '.join(sorted(missing))}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    user_id: str
    """"" where the method needs no key and none came."""
    rights: Rights
    key: str = ""
    """The public id of the key."""
    app: int | None = None
    """The key of the one app that the caller's key works in; None for a personal access token."""
    expires_at: int | None = None
    """When the caller's key ends, in microseconds since 1970; None for never."""


NOBODY = Caller("", Rights(frozenset()))


class Authenticator:
    """Finds keys, remembering the last ones for a second, and counts their calls.

    Args:
        per_minute: calls that a key may make a minute; 0 sets no limit.
        clock: the time by which calls are counted, in seconds.
    """

    def __init__(self, store: Store, per_minute: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._found: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._changes = 0
        self._lock = threading.Lock()
        self._rate = Rate(per_minute, clock)
        self.sessions = Sessions(lambda: secrets.get_or_create(store, "session"))

    def caller(self, method: Method, metadata: Mapping[str, str]) -> Caller:
        """The caller of a method.

        Raises:
            NoCredentials: there is no ``authorization: Key …``, nor a ``Session …``.
            KeyInvalid: what came can't be a key of ours, or the key has expired.
            KeyNotFound: it looks like a key, and nobody has it.
            InsufficientScopes: the key may not call this method.
            Throttled: the key has made too many calls of late.
        """
        caller = self.known(method, metadata)
        if method.needs_key:
            self._rate.count(caller.key)
        return caller

    def known(self, method: Method, metadata: Mapping[str, str]) -> Caller:
        """As `caller`, for a look before the call: it is not counted.

        Raises:
            LabelwrightError: as `caller`, less Throttled.
        """
        if not method.needs_key:
            return NOBODY
        caller = self.holder(metadata)
        if caller.app is not None and method.personal:
            raise InsufficientScopes(f"{method.name} needs a personal access token; this key is bound to one app")
        caller.rights.check(method, "this key")
        return caller

    def holder(self, metadata: Mapping[str, str]) -> Caller:
        """Whose key came, whatever it may do.

        Raises:
            NoCredentials: as `caller`.
            KeyInvalid: as `caller`; or the session has ended, or is none of ours.
            KeyNotFound: as `caller`; or the session's key has been deleted.
        """
        kind, token = _credentials(metadata)
        caller = self._holder_of_session(token) if kind == "session" else self._holder_of_key(token)
        if caller.expires_at is not None and caller.expires_at <= now():
            raise KeyInvalid("the key has expired")
        return caller

    def open_session(self, token: str) -> Session:
        """A new session of the key with this token.

        Raises:
            KeyInvalid: it can't be a key of ours, or has expired.
            KeyNotFound: it looks like a key, and nobody has it.
        """
        return self.sessions.open(self.holder({"authorization": f"Key {token}"}).key)

    def forget(self) -> None:
        """Look every key up anew: keys have changed. To be called when the change is on disk."""
        with self._lock:
            self._changes += 1
            self._found.clear()

    def _holder_of_key(self, token: str) -> Caller:
        caller = self._looked_up(users.token_hash(token), lambda conn: users.find_key(conn, token))
        if caller is None:
            if _TOKEN.match(token):
                raise KeyNotFound(
                    "nobody has this key: it may be deleted, or another server's; labelwright keys create makes one"
                )
            raise KeyInvalid("Invalid format of key.")
        return caller

    def _holder_of_session(self, value: str) -> Caller:
        session = self.sessions.read(value)
        # No hash looks like this: one has 32 bytes, and no word before them.
        caller = self._looked_up(b"session of " + session.key.encode(), lambda conn: users.key_by_id(conn, session.key))
        if caller is None:
            raise KeyNotFound("the key of this session has been deleted; sign in with another")
        return caller

    def _looked_up(self, name: bytes, look: Callable[[Connection], Row[Any] | None]) -> Caller | None:
        with self._lock:
            known, changes = self._found.get(name), self._changes
        if known is not None and known[0] > time.monotonic():
            return known[1]
        with self._store.read() as conn:
            key = look(conn)
        if key is None:
            return None
        caller = Caller(key.user_id, Rights.of(key.scopes, key.endpoints), key.id, key.app, key.expires_at)
        with self._lock:
            if changes != self._changes:
                # It may have been read before the change: what it was then must not be remembered.
                return caller
            self._found[name] = time.monotonic() + REMEMBERED, caller
            while len(self._found) > _KEPT:
                self._found.popitem(last=False)
        return caller


def _credentials(metadata: Mapping[str, str]) -> tuple[str, str]:
    """``key`` and a token, or ``session`` and the value of a session of the pages."""
    # Clients that were given a session token send it so; ours have the form and the rights of an access token.
    if session := metadata.get("x-clarifai-session-token", "").strip():
        return "key", session
    kind, _, token = metadata.get("authorization", "").strip().partition(" ")
    kind, token = kind.lower(), token.strip()
    if kind not in ("key", "session") or not token:
        raise NoCredentials("Empty or malformed authorization header. Please provide an API key or session token.")
    return kind, token


class Rate:
    """A bucket of calls for each key, which fills up again as time goes by.

    Args:
        clock: the time in seconds, from whenever.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, key: str) -> None:
        """Take a call out of a key's bucket.

        Raises:
            Throttled: the bucket is empty.
        """
        if not self._per_minute:
            return
        at = self._clock()
        with self._lock:
            left, when = self._left.pop(key, (float(self._per_minute), at))
            left = min(float(self._per_minute), left + (at - when) * self._per_minute / 60)
            enough = left >= 1
            self._left[key] = (left - enough, at)
            while len(self._left) > _KEPT:
                self._left.popitem(last=False)
        if not enough:
            raise Throttled(
                f"this key may make {self._per_minute} calls a minute (setting rate_limit); wait "
                f"{max(1, round((1 - left) * 60 / self._per_minute))} s and try again"
            )

    def give_back(self, key: str) -> None:
        """Put a call back into a key's bucket: it was none that counts."""
        with self._lock:
            if key in self._left:
                left, at = self._left[key]
                self._left[key] = min(float(self._per_minute), left + 1), at
