"""The RPCs of the service, as its descriptor declares them: types, streaming, whether a key is needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.auth.scope import scope_pb2
from clarifai_grpc.grpc.auth.types import types_pb2
from clarifai_grpc.grpc.auth.util import extension_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

SERVICE = service_pb2.DESCRIPTOR.services_by_name["V2"]


@dataclass(frozen=True, slots=True)
class Method:
    """One RPC."""

    name: str
    path: str
    """The gRPC path, ``/clarifai.api.V2/<name>``."""
    request: type[Message]
    reply: type[Message]
    client_streams: bool
    server_streams: bool
    needs_key: bool
    """False where anybody may call."""
    personal: bool
    """Whether only a person's own token will do, not a key that is bound to an app."""
    scopes: frozenset[str]
    """What a key must be allowed for the call, as the names of `Scope`: ``Inputs_Get``."""


def _method(descriptor: MethodDescriptor) -> Method:
    options = descriptor.GetOptions()
    auth = options.Extensions[extension_pb2.cl_auth_type]
    return Method(
        name=descriptor.name,
        path=f"/{SERVICE.full_name}/{descriptor.name}",
        request=GetMessageClass(descriptor.input_type),
        reply=GetMessageClass(descriptor.output_type),
        client_streams=descriptor.client_streaming,
        server_streams=descriptor.server_streaming,
        needs_key=auth != types_pb2.NoAuth,
        personal=auth in (types_pb2.PATAuth, types_pb2.SessionTokenAuth),
        scopes=frozenset(scope_pb2.S.Name(s) for s in options.Extensions[extension_pb2.cl_depending_scopes]),
    )


@cache
def methods() -> dict[str, Method]:
    """Every RPC of the service by its name."""
    return {m.name: _method(m) for m in SERVICE.methods}


@cache
def by_path() -> dict[str, Method]:
    """Every RPC of the service by its gRPC path."""
    return {m.path: m for m in methods().values()}
