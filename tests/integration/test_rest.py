"""The API as JSON over HTTP: a real server, and a client that knows nothing but HTTP."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from google.protobuf import json_format

from labelwright import config
from labelwright.errors import ExceedsLimits, LabelwrightError, Overloaded
from labelwright.ids import new_id
from labelwright.protocol import dispatch as dispatching
from labelwright.protocol import rest
from labelwright.protocol.dispatch import Call, Server
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.rest import bodies
from labelwright.store import users
from tests.conftest import Client

Api = httpx.Client
APP = "/v2/users/me/apps/app"


def opened(server: Server) -> EdgeLoop:
    edge = EdgeLoop(build_app(lambda: True, rest.routes(server)))
    edge.start(None, ("127.0.0.1", 0), None)
    return edge


@pytest.fixture
def settings(settings: config.Settings, request: pytest.FixtureRequest) -> config.Settings:
    """Small bodies; a test may set more by a parameter."""
    return config.load(home=settings.home, max_message_bytes=2**20, **getattr(request, "param", {}))


@pytest.fixture
def api(client: Client) -> Iterator[Api]:
    """HTTP, with the key of the gRPC client beside it."""
    edge = opened(client.server)
    base = f"http://127.0.0.1:{edge.http_port}"
    with httpx.Client(base_url=base, headers={"Authorization": f"Key {client.token}"}, timeout=30) as made:
        yield made
    edge.stop()


def answer(reply: httpx.Response, code: int = 10000, http: int = 200) -> Any:
    """The body of a reply that has these statuses."""
    assert reply.headers["content-type"] == "application/json"
    body = reply.json()
    assert (body["status"]["code"], reply.status_code) == (code, http), body
    return body


# --- calls ----------------------------------------------------------------------------------------


def test_an_input_is_posted_read_patched_and_deleted(api: Api, client: Client) -> None:
    one = {"id": "a/b ü", "data": {"text": {"raw": "hello"}, "concepts": [{"id": "cat"}, {"id": "dog", "value": 0}]}}
    posted = answer(api.post(f"{APP}/inputs", json={"inputs": [one]}))["inputs"][0]
    assert posted["id"] == one["id"]
    assert posted["status"]["code"] == 30001
    assert [(c["id"], c["value"]) for c in posted["data"]["concepts"]] == [("cat", 1), ("dog", 0)]

    path = f"{APP}/inputs/a%2Fb%20%C3%BC"
    got = answer(api.get(path))
    over_grpc = client.call("GetInput", service_pb2.GetInputRequest(input_id="a/b ü"))
    over_rest = json_format.ParseDict(got, service_pb2.SingleInputResponse())
    for reply in (over_rest, over_grpc):
        # The addresses of media begin as the call came in.
        reply.input.data.ClearField("text")
    assert over_rest.input == over_grpc.input
    assert got["status"]["req_id"] != over_grpc.status.req_id

    change = {"action": "merge", "inputs": [{"id": "a/b ü", "data": {"metadata": {"n": 1, "deep": {"x": [None]}}}}]}
    answer(api.patch(f"{APP}/inputs", json=change))
    assert answer(api.get(path))["input"]["data"]["metadata"] == {"n": 1, "deep": {"x": [None]}}

    answer(api.request("DELETE", f"{APP}/inputs", json={"ids": ["a/b ü"]}))
    assert answer(api.get(f"{APP}/inputs"))["inputs"] == []
    answer(api.get(path), 11101, 404)


def test_the_short_paths_name_the_app_in_the_query_or_the_body(api: Api) -> None:
    app = {"user_id": "me", "app_id": "app"}
    answer(api.post("/v2/inputs", json={"user_app_id": app, "inputs": [{"id": "x", "data": {"text": {"raw": "t"}}}]}))
    named = {f"user_app_id.{k}": v for k, v in app.items()}
    assert [i["id"] for i in answer(api.get("/v2/inputs", params=named))["inputs"]] == ["x"]
    answer(api.get("/v2/inputs"), 11102, 400)


def test_the_path_outranks_the_body(api: Api) -> None:
    body = {"user_app_id": {"user_id": "nobody", "app_id": "none"}, "concepts": [{"id": "cat"}]}
    answer(api.post(f"{APP}/concepts", json=body))
    assert [c["id"] for c in answer(api.get(f"{APP}/concepts"))["concepts"]] == ["cat"]


def test_a_delete_without_a_declared_body_may_have_one(api: Api) -> None:
    """The official client sends what the path does not say as a body, with every DELETE."""
    answer(api.post(f"{APP}/inputs", json={"inputs": [{"id": "x", "data": {"text": {"raw": "t"}}}]}))
    answer(api.request("DELETE", f"{APP}/inputs/x", json={"user_app_id": {"user_id": "me", "app_id": "app"}}))
    answer(api.get(f"{APP}/inputs/x"), 11101, 404)


def test_a_call_without_a_body_may_have_a_query(api: Api) -> None:
    answer(api.post(f"{APP}/inputs", json={"inputs": [{"id": "x", "data": {"text": {"raw": "t"}}}]}))
    answer(api.delete(f"{APP}/inputs", params={"ids": ["x"]}))
    answer(api.get(f"{APP}/inputs/x"), 11101, 404)


def test_a_get_ignores_its_body(api: Api) -> None:
    answer(api.request("GET", f"{APP}/inputs", content=b"{no json"))


def test_a_form_by_name_is_read_as_json(api: Api) -> None:
    """As curl -d sends it."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer(api.post(f"{APP}/concepts", content=b'{"concepts": [{"id": "cat"}]}\n', headers=headers))


def test_pages_and_lists_in_a_query(api: Api) -> None:
    answer(api.post(f"{APP}/concepts", json={"concepts": [{"id": f"c{i}"} for i in range(5)]}))
    page = answer(api.get(f"{APP}/concepts", params={"page": 2, "per_page": 2}))["concepts"]
    assert len(page) == 2
    assert "page" in answer(api.get(f"{APP}/concepts?page=two"), 11100, 400)["status"]["details"]
    listed = {"statuses.code": ["ANNOTATION_SUCCESS", "24151"], "list_all_annotations": "True"}
    assert answer(api.get(f"{APP}/annotations", params=listed))["annotations"] == []


def test_mixed_success_is_worth_reading(api: Api) -> None:
    inputs = [{"id": "good", "data": {"text": {"raw": "t"}}}, {"id": "bad"}]
    body = answer(api.post(f"{APP}/inputs", json={"inputs": inputs}), 10010, 200)
    assert [i["status"]["code"] for i in body["inputs"]] == [30001, 30104]
    answer(api.post(f"{APP}/inputs", json={"inputs": [{"id": "bad"}, {"id": "worse"}]}), 10020, 400)


def test_what_is_not_served_is_said_so(api: Api) -> None:
    missing = next(b for b in rest.bindings() if b.method not in dispatching.served() and b.verb == "GET")
    path = missing.template.replace("{", "").replace("}", "")
    assert missing.method in answer(api.get(path), 10040, 501)["status"]["details"]


def test_a_request_id_begins_as_the_client_asked(api: Api) -> None:
    reply = answer(api.get("/v2/users/me/apps", headers={"X-Clarifai-Request-ID-Prefix": "mine-"}))
    assert reply["status"]["req_id"].startswith("mine-")


# --- who calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code", "http"),
    [
        ("", 11102, 401),
        ("Bearer x", 11102, 401),
        ("Key " + "0" * 32, 11009, 401),
        ("Key nonsense", 11008, 401),
    ],
)
def test_a_wrong_key_is_said_before_a_wrong_body(api: Api, header: str, code: int, http: int) -> None:
    wrong = api.post(f"{APP}/inputs", content=b"{no json", headers={"Authorization": header})
    answer(wrong, code, http)
    large = api.post(f"{APP}/inputs", content=b"x" * (2**20 + 1), headers={"Authorization": header})
    answer(large, code, http)
    assert "no JSON" in answer(api.post(f"{APP}/inputs", content=b"{no json"), 11100, 400)["status"]["details"]


def test_a_key_needs_the_scopes(api: Api, client: Client) -> None:
    token = new_id()
    with client.server.store.write() as conn:
        users.add_key(conn, user_id=client.user_id, token=token, scopes=["Inputs_Get"])
    reply = api.post(f"{APP}/inputs", json={}, headers={"Authorization": f"Key {token}"})
    assert "Inputs_Add" in answer(reply, 11007, 403)["status"]["details"]


@pytest.mark.parametrize("settings", [{"rate_limit": 20}], indirect=True)
def test_too_many_calls_are_told_when_to_come_again(api: Api) -> None:
    replies = [api.get("/v2/users/me/apps") for _ in range(22)]
    answer(replies[-1], 11005, 429)
    assert replies[-1].headers["retry-after"] == "3"
    assert "retry-after" not in replies[0].headers


# --- paths and verbs ------------------------------------------------------------------------------


def test_an_unknown_path_is_a_404_of_the_api(api: Api) -> None:
    for path in ("/v2", "/v2/", "/v2/nothing", "/v2/inputs/", "/v2//inputs", "/v3/inputs", "/v2%2Finputs"):
        answer(api.get(path), 11101, 404)


def test_a_known_path_with_another_verb_names_the_legal_ones(api: Api) -> None:
    reply = api.put(f"{APP}/inputs/x", json={})
    assert "PUT" in answer(reply, 11103, 405)["status"]["details"]
    assert reply.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"
    options = api.options(f"{APP}/inputs/x")
    assert (options.status_code, options.headers["allow"], options.content) == (204, reply.headers["allow"], b"")
    assert not [name for name in options.headers if name.startswith("access-control")]


def test_head_is_a_get_without_a_body(api: Api) -> None:
    head = api.head("/v2/users/me/apps")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(api.get("/v2/users/me/apps").content)
    assert api.head(f"{APP}/inputs/none").status_code == 404


def test_the_sdk_finds_out_that_this_is_the_api(api: Api) -> None:
    reply = httpx.get(api.base_url.join("/v2/auth/methods"))
    assert answer(reply)["methods"][0]["header"].startswith("Authorization: Key")


@pytest.mark.parametrize("verb_and_path", ["GET /v2/nothing", "GET /", "PUT /v2/status_codes", "GET /v2/auth/methods"])
def test_what_is_no_call_has_a_request_id_too(api: Api, verb_and_path: str) -> None:
    verb, path = verb_and_path.split()
    with structlog.testing.capture_logs() as lines:
        reply = httpx.request(verb, api.base_url.join(path), headers={"X-Clarifai-Request-ID-Prefix": "mine-"})
    status = reply.json()["status"]
    assert re.fullmatch("mine-[0-9a-f]{32}", status["req_id"])
    assert status.get("http_status_code", 200) == reply.status_code
    logged = [(line["request"], line["req_id"]) for line in lines if line["event"] == "refused"]
    assert logged == ([] if reply.status_code == 200 else [(repr(verb_and_path), status["req_id"])])


# --- limits ---------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    reply = api.post(f"{APP}/inputs", content=b" " * (2**20 + 1))
    assert "1048576 bytes" in answer(reply, 11100, 413)["status"]["details"]
    answer(api.post(f"{APP}/concepts", content=b'{"concepts": [{"id": "cat"}]}' + b" " * (2**20 - 29)))


def test_a_body_that_does_not_say_how_large_it_is(api: Api) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 2**16

    answer(api.post(f"{APP}/inputs", content=pieces()), 11100, 413)
    answer(api.get("/v2/users/me/apps"))
    answer(api.post(f"{APP}/concepts", content=iter([b'{"concepts": ', b'[{"id": "cat"}]}'])))


def raw(api: Api, head: str, body: bytes = b"") -> bytes:
    """What the server sends until it closes the connection."""
    with socket.create_connection((api.base_url.host, api.base_url.port or 0), timeout=20) as sock:
        sock.sendall(head.replace("\n", "\r\n").encode() + body)
        got = b""
        while piece := sock.recv(2**16):
            got += piece
        return got


def test_a_client_that_asks_first_need_not_send_what_is_too_large(api: Api) -> None:
    head = (
        f"POST {APP}/inputs HTTP/1.1\nHost: x\nAuthorization: {api.headers['authorization']}\n"
        "Content-Length: 99999999\nExpect: 100-continue\nConnection: close\n\n"
    )
    assert raw(api, head).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_ends_does_not_hold_the_connection(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so much is read and thrown away, and only for so long."""
    monkeypatch.setattr(bodies, "LINGER", 0.1)
    head = (
        f"POST {APP}/inputs HTTP/1.1\nHost: x\nAuthorization: {api.headers['authorization']}\n"
        "Content-Length: 99999999\n\n"
    )
    try:
        got = raw(api, head, b" " * (2**20 + 2**18))
    except ConnectionResetError:
        return
    assert got.startswith(b"HTTP/1.1 413")


def test_a_compressed_body_is_refused_in_words(api: Api) -> None:
    reply = api.post(f"{APP}/inputs", content=b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert "gzip" in answer(reply, 11100, 400)["status"]["details"]


def test_a_client_that_goes_while_it_sends_leaves_the_server_well(api: Api) -> None:
    with socket.create_connection((api.base_url.host, api.base_url.port or 0)) as sock:
        sock.sendall(f"POST {APP}/inputs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
    answer(api.get("/v2/users/me/apps"))


def test_a_call_that_waits_holds_up_nobody_else(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    held, entered = threading.Event(), threading.Event()

    def wait(call: Call, _request: Any) -> service_pb2.MultiModelResponse:
        entered.set()
        assert held.wait(20)
        return service_pb2.MultiModelResponse()

    monkeypatch.setitem(dispatching._handlers, "ListModels", wait)
    waiting = threading.Thread(target=lambda: api.get(f"{APP}/models"))
    waiting.start()
    assert entered.wait(20)
    answer(api.get("/v2/users/me/apps"))
    held.set()
    waiting.join()


# --- errors of every kind -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "http"),
    [
        (Overloaded("busy"), 10030, 503),
        (ExceedsLimits("many"), 11006, 429),
        (LabelwrightError("broken"), 10020, 500),
        (RuntimeError("broken"), 10020, 500),
    ],
)
def test_an_error_has_its_http_status(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, http: int
) -> None:
    def fail(_call: Call, _request: Any) -> service_pb2.MultiModelResponse:
        raise error

    monkeypatch.setitem(dispatching._handlers, "ListModels", fail)
    body = answer(api.get(f"{APP}/models"), code, http)
    assert body["status"]["http_status_code"] == http
    assert body["models"] == []


# --- streams --------------------------------------------------------------------------------------


class Stream:
    """A handler whose replies come when the test says so."""

    def __init__(self, replies: int, fails: bool = False) -> None:
        self.replies, self.fails = replies, fails
        self.go = threading.Semaphore(0)
        self.made = 0
        self.ended = threading.Event()

    def __call__(self, _call: Call, request: Any) -> Iterator[service_pb2.SingleAnnotationResponse]:
        try:
            for i in range(self.replies):
                assert self.go.acquire(timeout=20)
                self.made += 1
                yield service_pb2.SingleAnnotationResponse(annotation=resources_pb2.Annotation(id=f"{i}"))
            if self.fails:
                raise Overloaded("no more")
        finally:
            self.ended.set()


def streaming(monkeypatch: pytest.MonkeyPatch, replies: int, **more: Any) -> tuple[Stream, str]:
    made = Stream(replies, **more)
    monkeypatch.setitem(dispatching._handlers, "StreamAnnotations", made)
    path = next(b.template for b in rest.bindings() if b.method == "StreamAnnotations" and len(b.variables) > 1)
    path = path.replace("{user_app_id.user_id}", "me").replace("{user_app_id.app_id}", "app")
    return made, path


def test_replies_come_as_lines_when_they_are_made(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, path = streaming(monkeypatch, 3)
    stream.go.release()
    with api.stream(*verb_of("StreamAnnotations", path)) as reply:
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/x-ndjson")
        lines = reply.iter_lines()
        assert json.loads(next(lines))["annotation"]["id"] == "0"
        assert stream.made == 1
        stream.go.release(2)
        rest_of_it = [json.loads(line) for line in lines]
    assert [r["annotation"]["id"] for r in rest_of_it] == ["1", "2"]
    assert {r["status"]["code"] for r in rest_of_it} == {10000}


def verb_of(method: str, path: str) -> tuple[str, str]:
    return next(b.verb for b in rest.bindings() if b.method == method), path


def test_a_failure_half_way_is_the_last_line(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, path = streaming(monkeypatch, 1, fails=True)
    stream.go.release()
    reply = api.request(*verb_of("StreamAnnotations", path))
    assert reply.status_code == 200
    assert [json.loads(line)["status"]["code"] for line in reply.text.splitlines()] == [10000, 10030]


def test_a_stream_that_fails_at_once_has_its_http_status(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = streaming(monkeypatch, 0, fails=True)
    reply = api.request(*verb_of("StreamAnnotations", path))
    assert (reply.status_code, json.loads(reply.text)["status"]["code"]) == (503, 10030)
    unknown = api.request(*verb_of("StreamAnnotations", path), headers={"Authorization": "Key x"})
    assert unknown.status_code == 401
    assert json.loads(unknown.text)["status"]["code"] == 11008


def test_an_empty_stream_ends_well(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = streaming(monkeypatch, 0)
    reply = api.request(*verb_of("StreamAnnotations", path))
    assert (reply.status_code, reply.content) == (200, b"")


def test_a_stream_ends_with_its_client(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, path = streaming(monkeypatch, 1000)
    stream.go.release()
    with api.stream(*verb_of("StreamAnnotations", path)) as reply:
        next(reply.iter_lines())
    # The reply that was under way when the client went is made to its end; the next one is not asked for.
    while not stream.ended.wait(0.05):
        stream.go.release()
    assert stream.made < 1000
    answer(api.get("/v2/users/me/apps"))


def test_a_stream_goes_on_while_others_call(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, path = streaming(monkeypatch, 2)
    stream.go.release()
    with api.stream(*verb_of("StreamAnnotations", path)) as reply:
        lines = reply.iter_lines()
        next(lines)
        answer(api.get("/v2/users/me/apps"))
        stream.go.release()
        assert json.loads(next(lines))["annotation"]["id"] == "1"
