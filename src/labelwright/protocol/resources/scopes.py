"""What keys may do: the scopes of the caller's key, and those that there are."""

from __future__ import annotations

from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.keys import TYPES
from labelwright.protocol.scopes import closed, depending, in_order, usable
from labelwright.store.users import PERSONAL_ACCESS_TOKEN


@serves("MyScopes")
def my_scopes(call: Call, request: service_pb2.MyScopesRequest) -> service_pb2.MultiScopeResponse:
    """What the caller's key may do, in the app that is named, or that it is bound to; else wherever it may."""
    rights, app = call.caller.rights, None
    if call.caller.app is not None or request.user_app_id.app_id:
        with call.store.read() as conn:
            row = call.app(conn, request.user_app_id)
            rights = call.rights(conn, row)
        app = resources_pb2.App(id=row.id, user_id=row.user_id)
    return service_pb2.MultiScopeResponse(scopes=in_order(rights.scopes), endpoints=sorted(rights.endpoints), app=app)


@serves("MyScopesUser")
def my_scopes_user(call: Call, request: service_pb2.MyScopesUserRequest) -> service_pb2.MultiScopeUserResponse:
    """What the caller's key may do with what is the caller's."""
    if (owner := call.owner(request.user_app_id)) != call.user_id:
        raise DoesNotExist(f"this key is {call.user_id!r}'s, and has no scopes for what is user {owner!r}'s")
    rights = call.caller.rights
    return service_pb2.MultiScopeUserResponse(scopes=in_order(rights.scopes), endpoints=sorted(rights.endpoints))


@serves("MyScopesRoot")
def my_scopes_root(call: Call, _request: service_pb2.MyScopesRootRequest) -> service_pb2.MultiScopeRootResponse:
    """What the caller's key may do, wherever it may do anything."""
    rights = call.caller.rights
    return service_pb2.MultiScopeRootResponse(scopes=in_order(rights.scopes), endpoints=sorted(rights.endpoints))


@serves("ListScopes")
def list_scopes(_call: Call, request: service_pb2.ListScopesRequest) -> service_pb2.MultiScopeDepsResponse:
    """The scopes and endpoints that a key of this type can be given, each with the scopes that it needs."""
    if request.key_type not in ("", *TYPES):
        raise InvalidRequest(f"key_type is {request.key_type!r}; legal are {', '.join(TYPES)}")
    names, callable_ = usable(personal=request.key_type == PERSONAL_ACCESS_TOKEN)
    return service_pb2.MultiScopeDepsResponse(
        scope_deps=[resources_pb2.ScopeDeps(scope=n, depending_scopes=in_order(closed(depending()[n]))) for n in names],
        endpoint_deps=[
            resources_pb2.EndpointDeps(endpoint=m.path, depending_scopes=in_order(closed(m.scopes))) for m in callable_
        ],
    )
