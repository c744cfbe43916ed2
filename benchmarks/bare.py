"""The least that a server can do, to compare ours with: `python bare.py grpc|http` prints its port and serves.

The replies have the size and shape of ours; nothing is authenticated, looked up or written.
"""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.json_format import MessageToDict

INPUT = resources_pb2.Input(
    id="0" * 32,
    data=resources_pb2.Data(text=resources_pb2.Text(raw="text number 1")),
    status=status_pb2.Status(code=30000, description="Download complete"),
)
OK = status_pb2.Status(code=10000, description="Ok", req_id="0" * 32)


def _get(_request: object, _context: object) -> object:
    return service_pb2.SingleInputResponse(status=OK, input=INPUT)


def _post(request: service_pb2.PostInputsRequest, _context: object) -> object:
    return service_pb2.MultiInputResponse(status=OK, inputs=[INPUT] * len(request.inputs))


def serve_grpc() -> None:
    """GetInput and PostInputs on grpcio's own server, with as many threads as ours works with."""
    server = grpc.server(ThreadPoolExecutor(4))

    def unary(handler: Any, request: Any, reply: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            handler, request_deserializer=request.FromString, response_serializer=reply.SerializeToString
        )

    handlers = {
        "GetInput": unary(_get, service_pb2.GetInputRequest, service_pb2.SingleInputResponse),
        "PostInputs": unary(_post, service_pb2.PostInputsRequest, service_pb2.MultiInputResponse),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("clarifai.api.V2", handlers)])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    threading.Event().wait()


def serve_http() -> None:
    """The same two as JSON, on Starlette and uvicorn."""
    import asyncio
    import socket

    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    shown = MessageToDict(INPUT, preserving_proto_field_name=True, use_integers_for_enums=True)
    ok = MessageToDict(OK, preserving_proto_field_name=True, use_integers_for_enums=True)

    async def get(_: Request) -> JSONResponse:
        return JSONResponse({"status": ok, "input": shown})

    async def post(request: Request) -> JSONResponse:
        given = json.loads(await request.body())
        return JSONResponse({"status": ok, "inputs": [shown] * len(given["inputs"])})

    app = Starlette(
        routes=[
            Route("/v2/users/{user}/apps/{app}/inputs/{input}", get),
            Route("/v2/users/{user}/apps/{app}/inputs", post, methods=["POST"]),
        ]
    )
    sock = socket.create_server(("127.0.0.1", 0))
    # asyncio leaves it off for a socket that it is handed, and each reply then waits 40 ms for the client's word.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(sock.getsockname()[1], flush=True)
    config = uvicorn.Config(app, http="h11", ws="none", lifespan="off", access_log=False, log_level="warning")
    asyncio.run(uvicorn.Server(config).serve([sock]))


if __name__ == "__main__":
    {"grpc": serve_grpc, "http": serve_http}[sys.argv[1]]()
