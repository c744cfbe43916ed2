"""The gRPC side: every RPC of the service goes to the dispatcher, served or not; health and reflection beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from labelwright.protocol import resources
from labelwright.protocol.dispatch import TURNS, Server, dispatch, dispatch_stream, stranger
from labelwright.protocol.methods import SERVICE, Method, methods
from labelwright.protocol.pool import PatientPool

SLOW_CALLS = 256
"""Calls whose message may be on its way at a time. 25 that never sent theirs stopped a server with 20 threads."""

CORE = 2
"""Threads that answer calls while these come back quickly. On two cores 4 of them answered 1,390 GetInputs a second, 2
1,710, and 1 1,580: the interpreter is handed over at each call of SQLite's, to whoever wants it."""

HealthServicer = Any
"""The health package ships without types."""


def _metadata(context: grpc.ServicerContext) -> dict[str, str]:
    found = {k.lower(): v for k, v in context.invocation_metadata() or () if isinstance(v, str)}
    # By which name the client came: gRPC keeps it out of the metadata, and has no public way to ask for it.
    details = getattr(getattr(context, "_rpc_event", None), "call_details", None)
    found[":authority"] = (getattr(details, "host", None) or b"").decode("ascii", "replace")
    return found


def _parsed(server: Server, method: Method, data: bytes, metadata: dict[str, str]) -> Message | Exception:
    """The request, or why there is none: what is no message is not raised, since gRPC would log a traceback for it."""
    if (why := stranger(server, method, metadata, len(data))) is not None:
        return why
    try:
        return method.request.FromString(data)
    except DecodeError as e:
        return e


def _handler(server: Server, method: Method) -> grpc.RpcMethodHandler[Any, Any]:
    def unary(data: bytes, context: grpc.ServicerContext) -> Message:
        metadata = _metadata(context)
        return dispatch(server, method, _parsed(server, method, data, metadata), metadata)

    def unary_stream(data: bytes, context: grpc.ServicerContext) -> Iterator[Message]:
        metadata = _metadata(context)
        yield from dispatch_stream(server, method, _parsed(server, method, data, metadata), metadata)

    # No RPC whose client streams is served, and to wait for its first message would let anybody hold a thread.
    def stream_unary(_: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        return dispatch(server, method, method.request(), _metadata(context))

    def stream_stream(_: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Message]:
        yield from dispatch_stream(server, method, method.request(), _metadata(context))

    codec: dict[str, Callable[..., Any]] = {"response_serializer": method.reply.SerializeToString}
    if method.client_streams:
        if method.server_streams:
            return grpc.stream_stream_rpc_method_handler(stream_stream, **codec)
        return grpc.stream_unary_rpc_method_handler(stream_unary, **codec)
    if method.server_streams:
        return grpc.unary_stream_rpc_method_handler(unary_stream, **codec)
    return grpc.unary_unary_rpc_method_handler(unary, **codec)


def build(server: Server) -> tuple[grpc.Server, HealthServicer]:
    """A gRPC server without a port yet; the caller adds ports, starts it and sets its health."""
    resources.populate()
    limit = server.settings.max_message_bytes
    built = grpc.server(
        # Beside the calls that work, a thread for each that may wait for a prediction, and for those whose clients are
        # slow to send: grpcio waits for a call's message in its thread. They are made when needed, and no sooner.
        PatientPool(CORE, TURNS + server.settings.predict_in_flight + SLOW_CALLS, thread_name_prefix="call"),
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            # A second server on the same port must fail, not share it.
            ("grpc.so_reuseport", 0),
        ],
    )
    table = {m.name: _handler(server, m) for m in methods().values()}
    built.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE.full_name, table)])
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, built)
    names = (SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, built)
    for name in ("", SERVICE.full_name):
        servicer.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
    return built, servicer


def set_serving(servicer: HealthServicer) -> None:
    """Answer health checks with SERVING."""
    for name in ("", SERVICE.full_name):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
