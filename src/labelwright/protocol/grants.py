"""Giving rights away, to a key or to a collaborator: what is asked for, and whether the giver has it."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from labelwright.errors import InsufficientScopes, InvalidRequest
from labelwright.protocol.auth import Caller, Rights
from labelwright.protocol.methods import by_path
from labelwright.protocol.scopes import closed, endpoint, named
from labelwright.store.engine import now


def asked(scopes: Iterable[str], endpoints: Iterable[str]) -> Rights:
    """The rights that a request spells out, with the scopes that those given need besides.

    Raises:
        InvalidRequest: a scope or an endpoint is not known, or there is neither.
    """
    rights = Rights(closed(named(s) for s in scopes), frozenset(endpoint(e) for e in endpoints))
    if not rights.scopes and not rights.endpoints:
        raise InvalidRequest("neither scopes nor endpoints are given: name some, or the scope All for every one")
    return rights


def check_for_app(rights: Rights) -> None:
    """Refuse endpoints that a key which is bound to an app can never call.

    Raises:
        InvalidRequest: there is one.
    """
    if never := sorted(p for p in rights.endpoints if by_path()[p].personal):
        raise InvalidRequest(f"{', '.join(never)}: only a personal access token may call this, no key of one app")


def check_given(new: Rights, giver: Rights, old: Rights | None = None) -> None:
    """Refuse to let somebody give more than they have.

    Args:
        old: what the receiver had before: keeping it is no gift.

    Raises:
        InsufficientScopes: what is new goes beyond the giver's own; says what.
    """
    beyond = set(giver.beyond(new))
    if old is not None:
        beyond &= set(old.beyond(new))
    if beyond:
        raise InsufficientScopes(
            f"this key can't give away what it lacks: {', '.join(sorted(beyond))}; ask with a key that has it"
        )


def microseconds(at: Timestamp) -> int | None:
    """When something is to end, as the store keeps it; None for never, which an empty time means.

    Raises:
        InvalidRequest: it is no time.
    """
    try:
        return at.ToMicroseconds() or None
    except ValueError as e:
        raise InvalidRequest(f"expires_at is no time: {e}") from None


def check_end(ends: int | None, giver: Caller, old: int | None = 0) -> None:
    """Refuse to let a key make another live longer than it does itself.

    Args:
        ends: when the receiver is to end; None for never.
        old: when it ended before this call; 0 for a new one.

    Raises:
        InsufficientScopes: it would.
    """
    if giver.expires_at is None or (ends is not None and ends <= giver.expires_at):
        return
    if old is None or (ends is not None and ends <= old):
        return
    end = Timestamp()
    end.FromMicroseconds(giver.expires_at)
    raise InsufficientScopes(
        f"this key expires at {end.ToJsonString()}, and none that it makes or changes may outlive it: set an "
        "expires_at until then, or ask with a key that lasts longer"
    )


def check_future(ends: int | None) -> None:
    """Refuse a new key that could never be used.

    Raises:
        InvalidRequest: it would have ended already.
    """
    if ends is not None and ends <= now():
        raise InvalidRequest(
            "expires_at has passed already: name a time to come, or leave it out for a key without end"
        )
