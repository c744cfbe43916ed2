"""What somebody without a key can make the server do: nothing large."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.protocol import rest
from labelwright.protocol import server as grpc_server
from labelwright.protocol.dispatch import SMALL, TURNS, Server, stranger
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.methods import methods
from labelwright.protocol.rest import endpoint
from tests.conftest import Client

BIG = b'{"concepts": [' + b" " * SMALL + b'{"id": "cat"}]}'
NO_KEY, UNKNOWN_KEY = 11102, 11009


@pytest.fixture
def base(client: Client) -> Iterator[str]:
    edge = EdgeLoop(build_app(lambda: True, rest.routes(client.server)))
    edge.start(None, ("127.0.0.1", 0), None)
    yield f"http://127.0.0.1:{edge.http_port}/v2/users/{client.user_id}/apps/app/concepts"
    edge.stop()


def test_a_large_body_is_parsed_for_who_may_call_alone(
    client: Client, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real: Any = vars(endpoint)["read_message"]

    def counting(kind: Any, body: bytes) -> Any:
        read.append(len(body))
        return real(kind, body)

    monkeypatch.setattr(endpoint, "read_message", counting)

    def pieces() -> Iterator[bytes]:
        yield BIG

    for headers, code in (({}, NO_KEY), ({"Authorization": "Key " + "0" * 32}, UNKNOWN_KEY)):
        for body in (BIG, pieces()):
            reply = httpx.post(base, content=body, headers=headers)
            assert reply.json()["status"]["code"] == code
    assert read == []
    reply = httpx.post(base, content=BIG, headers={"Authorization": f"Key {client.token}"})
    assert (reply.status_code, read) == (200, [len(BIG)])


def test_a_large_message_is_parsed_for_who_may_call_alone(client: Client) -> None:
    request = service_pb2.PostConceptsRequest(
        user_app_id=client.user_app_id, concepts=[resources_pb2.Concept(id="c", definition="x" * SMALL)]
    )
    assert client.stub.PostConcepts(request).status.code == NO_KEY
    method = methods()["PostConcepts"]
    key = {"authorization": f"Key {client.token}"}
    assert stranger(client.server, method, key, SMALL + 1) is None
    assert stranger(client.server, method, {}, SMALL) is None
    refused = grpc_server._parsed(client.server, method, request.SerializeToString(), {})
    assert isinstance(refused, Exception)


def test_a_look_at_the_key_is_no_call(server: Server, client: Client) -> None:
    server.auth._rate._per_minute = 1
    metadata = {"authorization": f"Key {client.token}"}
    for _ in range(5):
        assert server.auth.known(methods()["ListConcepts"], metadata).user_id == client.user_id
    assert server.auth.caller(methods()["ListConcepts"], metadata).user_id == client.user_id


def test_streams_that_say_nothing_hold_no_thread(client: Client) -> None:
    """The RPCs whose client streams are not served: that is the answer before the first message."""
    go = threading.Event()

    def silent() -> Iterator[service_pb2.PostModelOutputsRequest]:
        go.wait()
        yield service_pb2.PostModelOutputsRequest()

    more_than_threads = TURNS + client.server.settings.predict_in_flight + 4
    try:
        calls = [client.stub.StreamModelOutputs(silent(), timeout=60) for _ in range(more_than_threads)]
        client.call("ListConcepts", service_pb2.ListConceptsRequest())
        assert {next(call).status.code for call in calls} == {NO_KEY}
    except grpc.RpcError as e:
        pytest.fail(f"a thread was held: {e}")
    finally:
        go.set()
