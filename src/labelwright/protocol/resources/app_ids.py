"""Giving apps other ids."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2

from labelwright.errors import AppDuplicate, DoesNotExist, InvalidRequest
from labelwright.ids import resource_id_problem
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.apps import reply
from labelwright.store import apps


@serves("PatchAppsIds")
def patch_apps_ids(call: Call, request: service_pb2.PatchAppsIdsRequest) -> service_pb2.MultiAppResponse:
    """Give an app another id; all that is in it, and its keys, stay as they are."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    if len(request.ids) != 1:
        raise InvalidRequest(f"{len(request.ids)} ids given; 1 a call is legal")
    old, new = request.ids[0].id or request.user_app_id.app_id, request.ids[0].new_id
    if problem := resource_id_problem(new):
        raise InvalidRequest(f"new app id: {problem}")
    owner = call.owner(request.user_app_id)
    with call.store.write() as conn:
        found = {}
        if owner == call.user_id:
            apps.lock_owner(conn, owner)
            found = apps.by_ids(conn, owner, [old, new], lock=True)
        if old not in found:
            raise DoesNotExist(f"user {owner!r} has no app {old!r} that this key can change")
        if new in found:
            raise AppDuplicate(f"duplicate app id: {new!r} is taken")
        apps.rename(conn, found[old].pk, new)
        made = reply(conn, list(apps.by_ids(conn, owner, [new]).values()))
    return service_pb2.MultiAppResponse(apps=made)
