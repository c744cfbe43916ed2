"""Users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist
from labelwright.models.catalogue import PUBLIC_USER
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.wire import parse, set_time
from labelwright.store import users

_SHOWN = ("first_name", "last_name")
"""What others see of a user beside the id."""


def to_wire(row: Row[Any], *, himself: bool) -> resources_pb2.User:
    """A user as clients see them; others see the id and the name alone."""
    said = parse(resources_pb2.User, row.wire)
    user = resources_pb2.User(id=row.id)
    if himself:
        user.CopyFrom(said)
        user.id = row.id
        set_time(user.created_at, row.created_at)
    else:
        for field in _SHOWN:
            setattr(user, field, getattr(said, field))
    user.visibility.gettable = (
        resources_pb2.Visibility.PUBLIC if row.id == PUBLIC_USER else resources_pb2.Visibility.PRIVATE
    )
    return user


def shown(conn: Connection, ids: Iterable[str]) -> dict[str, resources_pb2.User]:
    """Users by their ids, as others see them."""
    return {i: to_wire(row, himself=False) for i, row in users.by_ids(conn, ids).items()}


@serves("GetUser")
def get_user(call: Call, request: service_pb2.GetUserRequest) -> service_pb2.SingleUserResponse:
    """One user: the caller, or somebody with whom the caller shares an app."""
    user_id = call.owner(request.user_app_id)
    himself = user_id == call.user_id
    with call.store.read() as conn:
        row = users.get(conn, user_id)
        known = himself or user_id == PUBLIC_USER or users.know_each_other(conn, call.user_id, user_id)
    if row is None or not known:
        raise DoesNotExist(f"there is no user {user_id!r} who shares an app with {call.user_id!r}")
    return service_pb2.SingleUserResponse(user=to_wire(row, himself=himself))
