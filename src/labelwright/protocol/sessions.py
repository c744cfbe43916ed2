"""Sessions of the pages: a signed value stands for a key, without a token in it and without a row in the store."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from labelwright.errors import KeyInvalid

SECONDS = 14 * 24 * 3600
"""How long a session lasts: two weeks."""

_VALUE = re.compile(r"([0-9a-zA-Z_-]{1,64})\.([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})\Z")


@dataclass(frozen=True, slots=True)
class Session:
    """A session whose signature is ours."""

    value: str
    """``<public id of the key>.<end>.<nonce>.<signature>``: what the cookie holds."""
    key: str
    """The public id of the key that it stands for."""
    expires_at: int
    """Seconds since 1970."""
    csrf: str
    """What a page has to say besides the cookie, for a call that changes something."""


class Sessions:
    """Makes and reads the values of sessions. Any thread may ask.

    Args:
        secret: gives the secret that all servers on a store share; asked once, and may read the store.
        clock: the time in seconds since 1970.
    """

    def __init__(self, secret: Callable[[], bytes], clock: Callable[[], float] = time.time) -> None:
        self._ask = secret
        self._secret: bytes | None = None
        self._clock = clock

    @property
    def is_ready(self) -> bool:
        """Whether the secret is known, so that nothing here waits for the store."""
        return self._secret is not None

    def ready(self) -> None:
        """Have the secret read, which may wait for the store."""
        if self._secret is None:
            self._secret = self._ask()

    def open(self, key: str) -> Session:
        """A new session of the key with this public id. Its value is drawn here: none that a client brings is kept."""
        expires_at, nonce = int(self._clock()) + SECONDS, secrets.token_hex(16)
        said = f"{key}.{expires_at}.{nonce}"
        return Session(f"{said}.{self._sign('session', said)}", key, expires_at, self._sign("csrf", said))

    def read(self, value: str) -> Session:
        """The session of a value.

        Raises:
            KeyInvalid: it is none of ours, or has ended.
        """
        found = _VALUE.match(value)
        if found is None:
            raise KeyInvalid("this is no session of this server; sign in again")
        key, end, nonce, signature = found.groups()
        said = f"{key}.{end}.{nonce}"
        if not hmac.compare_digest(signature, self._sign("session", said)):
            raise KeyInvalid("this is no session of this server; sign in again")
        if int(end) <= self._clock():
            raise KeyInvalid("the session has ended; sign in again")
        return Session(value, key, int(end), self._sign("csrf", said))

    def _sign(self, purpose: str, said: str) -> str:
        self.ready()
        return hmac.new(self._secret or b"", f"{purpose} {said}".encode(), hashlib.sha256).hexdigest()
