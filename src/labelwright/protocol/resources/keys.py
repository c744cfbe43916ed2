"""Keys: personal access tokens, and keys that are bound to one app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.ids import new_token
from labelwright.protocol import grants, scopes
from labelwright.protocol.auth import Rights
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.methods import by_path
from labelwright.protocol.wire import offset_limit, set_time
from labelwright.store import users
from labelwright.store.engine import now
from labelwright.store.users import APP_SPECIFIC_KEY, PERSONAL_ACCESS_TOKEN

MAX_KEYS = 128
MAX_DESCRIPTION = 1024
"""Characters of a key's description."""
TYPES = (APP_SPECIFIC_KEY, PERSONAL_ACCESS_TOKEN)


def to_wire(row: Row[Any]) -> resources_pb2.Key:
    """A key as clients see it: never its token.

    Args:
        row: as from `users.keys_of`.
    """
    key = resources_pb2.Key(
        id=row.id,
        type=row.type,
        description=row.description,
        scopes=scopes.in_order(row.scopes),
        endpoints=sorted(row.endpoints or ()),
        apps=[resources_pb2.App(id=row.app_id, user_id=row.app_user_id)] if row.app is not None else [],
    )
    set_time(key.created_at, row.created_at)
    if row.expires_at is not None:
        set_time(key.expires_at, row.expires_at)
    return key


def check_description(text: str) -> None:
    """Refuse a description that is too long.

    Raises:
        InvalidRequest: it is.
    """
    if len(text) > MAX_DESCRIPTION:
        raise InvalidRequest(f"description has {len(text)} characters; {MAX_DESCRIPTION} at most are legal")


def _mine(call: Call, user_app_id: resources_pb2.UserAppIDSet) -> str:
    owner = call.owner(user_app_id)
    if owner != call.user_id:
        raise DoesNotExist(f"user {owner!r} has no keys that this one, which is {call.user_id!r}'s, can see")
    return owner


def _named(conn: Connection, owner: str, key_id: str) -> Row[Any]:
    row = users.key_named(conn, owner, key_id) if key_id else None
    if row is None:
        # Not repeating what was given: it may be a token.
        raise DoesNotExist(f"user {owner!r} has no key of the id that was given; ListKeys lists them")
    return row


@serves("PostKeys")
def post_keys(call: Call, request: service_pb2.PostKeysRequest) -> service_pb2.MultiKeyResponse:
    """Add keys, all or none. ``id`` in the reply is the key's token, this once."""
    owner = _mine(call, request.user_app_id)
    if not 1 <= len(request.keys) <= MAX_KEYS:
        raise InvalidRequest(f"{len(request.keys)} keys given; 1 to {MAX_KEYS} a call are legal")
    for key in request.keys:
        _check_fields(key)
    made = []
    with call.store.write() as conn:
        for key in request.keys:
            rights = grants.asked(key.scopes, key.endpoints)
            grants.check_given(rights, call.caller.rights)
            ends = grants.microseconds(key.expires_at)
            grants.check_future(ends)
            grants.check_end(ends, call.caller)
            app = _app(conn, call, key)
            if app is not None:
                grants.check_for_app(rights)
            token = new_token()
            public_id = users.add_key(
                conn,
                user_id=owner,
                token=token,
                description=key.description,
                scopes=scopes.in_order(rights.scopes),
                endpoints=sorted(rights.endpoints),
                app=app,
                expires_at=ends,
            )
            shown = to_wire(_named(conn, owner, public_id))
            shown.id = token
            made.append(shown)
    return service_pb2.MultiKeyResponse(keys=made)


def _check_fields(key: resources_pb2.Key) -> None:
    if key.type and key.type not in TYPES:
        raise InvalidRequest(f"type is {key.type!r}; legal are {', '.join(TYPES)}")
    if key.organization_id or key.authorized_idp_ids:
        raise InvalidRequest("organization_id and authorized_idp_ids are not served: a key is one person's here")
    check_description(key.description)


def _app(conn: Connection, call: Call, key: resources_pb2.Key) -> int | None:
    """The app that a new key is to be bound to; None for a personal access token."""
    if key.type == PERSONAL_ACCESS_TOKEN:
        if key.apps:
            raise InvalidRequest(
                "apps are given with a personal_access_token, which works in all of them: leave them out"
            )
        return None
    if len(key.apps) != 1:
        raise InvalidRequest(
            f"{len(key.apps)} apps given; an {APP_SPECIFIC_KEY} (the type where none is named) works in exactly one, "
            f"and a {PERSONAL_ACCESS_TOKEN} needs none"
        )
    place = resources_pb2.UserAppIDSet(user_id=key.apps[0].user_id, app_id=key.apps[0].id)
    # As for a change: nobody makes keys for what everybody reads; and the app is there until the key is.
    pk: int = call.app(conn, place, change=True).pk
    return pk


@serves("GetKey")
def get_key(call: Call, request: service_pb2.GetKeyRequest) -> service_pb2.SingleKeyResponse:
    """One key, by its id or by the token itself."""
    owner = _mine(call, request.user_app_id)
    with call.store.read() as conn:
        return service_pb2.SingleKeyResponse(key=to_wire(_named(conn, owner, request.key_id)))


@serves("ListKeys")
def list_keys(call: Call, request: service_pb2.ListKeysRequest) -> service_pb2.MultiKeyResponse:
    """The caller's keys, oldest first, expired ones too."""
    owner = _mine(call, request.user_app_id)
    offset, limit = offset_limit(request)
    if request.type and request.type not in TYPES:
        raise InvalidRequest(f"type is {request.type!r}; legal are {', '.join(TYPES)}, or none for both")
    wanted = Rights(
        frozenset(scopes.named(s) for s in request.scopes), frozenset(scopes.endpoint(e) for e in request.endpoints)
    )
    live_at = now() if request.not_expired else None
    with call.store.read() as conn:
        if wanted.scopes or wanted.endpoints:
            # What a key may do lies in JSON, which the store doesn't search; a person's keys are few.
            every = users.keys_of(conn, owner, type=request.type, live_at=live_at)
            rows = [r for r in every if _holds(Rights.of(r.scopes, r.endpoints), wanted)][offset : offset + limit]
        else:
            rows = users.keys_of(conn, owner, type=request.type, live_at=live_at, offset=offset, limit=limit)
    return _several(rows)


def _holds(rights: Rights, wanted: Rights) -> bool:
    scopes_too = scopes.ALL in rights.scopes or wanted.scopes <= rights.scopes
    return scopes_too and not any(rights.missing(by_path()[e]) for e in wanted.endpoints)


@serves("ListAppKeys")
def list_app_keys(call: Call, request: service_pb2.ListAppKeysRequest) -> service_pb2.MultiKeyResponse:
    """The caller's keys that are bound to an app, oldest first."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = users.keys_of(conn, call.user_id, app=app.pk, offset=offset, limit=limit)
    return _several(rows)


def _several(rows: Sequence[Row[Any]]) -> service_pb2.MultiKeyResponse:
    return service_pb2.MultiKeyResponse(keys=[to_wire(r) for r in rows])


@serves("PatchKeys")
def patch_keys(call: Call, request: service_pb2.PatchKeysRequest) -> service_pb2.MultiKeyResponse:
    """Change keys, all or none: what is set in the request replaces what is there. It holds at once."""
    owner = _mine(call, request.user_app_id)
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    if not 1 <= len(request.keys) <= MAX_KEYS:
        raise InvalidRequest(f"{len(request.keys)} keys given; 1 to {MAX_KEYS} a call are legal")
    with call.store.write() as conn:
        ids = [_patch(conn, call, owner, change) for change in request.keys]
        rows = [_named(conn, owner, i) for i in ids]
    call.server.auth.forget()
    return _several(rows)


def _patch(conn: Connection, call: Call, owner: str, change: resources_pb2.Key) -> str:
    _check_fields(change)
    row = _named(conn, owner, change.id)
    if change.type not in ("", row.type) or any(
        (a.id, a.user_id or owner) != (row.app_id, row.app_user_id) for a in change.apps
    ):
        raise InvalidRequest(f"key {row.id} is a {row.type} for good, and its app stays what it is: make another key")
    values: dict[str, Any] = {}
    if change.description:
        values["description"] = change.description
    if change.scopes or change.endpoints:
        old = Rights.of(row.scopes, row.endpoints)
        new = grants.asked(change.scopes or row.scopes, change.endpoints or row.endpoints or ())
        grants.check_given(new, call.caller.rights, old)
        if row.app is not None:
            grants.check_for_app(new)
        values |= {"scopes": scopes.in_order(new.scopes), "endpoints": sorted(new.endpoints) or None}
    if change.HasField("expires_at"):
        values["expires_at"] = grants.microseconds(change.expires_at)
        grants.check_end(values["expires_at"], call.caller, row.expires_at)
    users.change_key(conn, row.id, **values)
    public_id: str = row.id
    return public_id


@serves("DeleteKey")
def delete_key(call: Call, request: service_pb2.DeleteKeyRequest) -> status_pb2.BaseResponse:
    """Delete a key, the caller's own too: it ends at once."""
    owner = _mine(call, request.user_app_id)
    with call.store.write() as conn:
        users.delete_key(conn, _named(conn, owner, request.key_id).id)
    call.server.auth.forget()
    return status_pb2.BaseResponse()
