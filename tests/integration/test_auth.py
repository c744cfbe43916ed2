"""Who may call, and how a call that can't be answered is answered."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, Concept, UserAppIDSet
from clarifai_grpc.grpc.api.status import status_code_pb2

from labelwright.ids import new_id
from labelwright.protocol import server as grpc_server
from labelwright.protocol.dispatch import REQUEST_ID_PREFIX, served
from labelwright.protocol.methods import Method, methods
from labelwright.store import users
from labelwright.store.engine import now

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
HOUR = 3600 * 1_000_000
NEVER_SERVED = ("PostRunners", "PostNodepools", "ListPipelines", "PostValidatePassword")


def status_with(client: Any, authorization: str | None, **more: str) -> Any:
    metadata = [("authorization", authorization)] if authorization is not None else []
    request = service_pb2.ListConceptsRequest(user_app_id=client.user_app_id)
    return client.stub.ListConcepts(request, metadata=[*metadata, *more.items()], timeout=60).status


def other_user(client: Any) -> tuple[tuple[str, str], ...]:
    """A second user with a key; the metadata of a call with it."""
    token, user_id = new_id(), f"other-{new_id()[-8:]}"
    with client.server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    return (("authorization", f"Key {token}"),)


@pytest.mark.parametrize("authorization", [None, "", "Key", "Key ", "Basic dTpw", "Bearer abc", "0" * 32])
def test_a_missing_or_malformed_header_is_told_in_the_apis_words(client: Any, authorization: str | None) -> None:
    status = status_with(client, authorization)
    assert (status.code, status.description) == (status_code_pb2.CONN_INVALID_REQUEST, "Invalid request")
    assert status.details == ("Empty or malformed authorization header. Please provide an API key or session token.")


@pytest.mark.parametrize("token", ["x", "0" * 31, "0" * 33, "G" * 32, "two words"])
def test_a_key_that_can_not_be_one_is_invalid(client: Any, token: str) -> None:
    status = status_with(client, f"Key {token}")
    assert status.code == status_code_pb2.CONN_KEY_INVALID
    assert status.description == "Invalid API key or Invalid API key/application pair"
    assert status.details == "Invalid format of key."
    assert token not in status.details


def test_a_key_that_nobody_has_is_not_found(client: Any) -> None:
    status = status_with(client, f"Key {new_id()}")
    assert (status.code, status.description) == (status_code_pb2.CONN_KEY_NOT_FOUND, "API key not found")


@pytest.mark.parametrize("header", ["Key {}", "key {}", "KEY  {} "])
def test_the_word_key_has_no_case(client: Any, header: str) -> None:
    assert status_with(client, header.format(client.token)).code == 10000


def test_an_owners_own_token_may_have_any_form(client: Any) -> None:
    with client.server.store.write() as conn:
        users.add_key(conn, user_id=client.user_id, token="correct horse battery staple")
    assert status_with(client, "Key correct horse battery staple").code == 10000


def test_a_key_ends_when_it_expires(client: Any) -> None:
    token = new_id()
    with client.server.store.write() as conn:
        key = users.add_key(conn, user_id=client.user_id, token=token, expires_at=now() + HOUR)
    assert status_with(client, f"Key {token}").code == 10000
    with client.server.store.write() as conn:
        users.change_key(conn, key, expires_at=now() - HOUR)
    # As another process's change, it would hold a second later.
    client.server.auth.forget()
    status = status_with(client, f"Key {token}")
    assert (status.code, status.details) == (status_code_pb2.CONN_KEY_INVALID, "the key has expired")


def test_a_deleted_key_is_not_found(client: Any) -> None:
    token = new_id()
    with client.server.store.write() as conn:
        key = users.add_key(conn, user_id=client.user_id, token=token)
        users.delete_key(conn, key)
    assert status_with(client, f"Key {token}").code == status_code_pb2.CONN_KEY_NOT_FOUND


FOREIGN: dict[str, Any] = {
    "GetApp": service_pb2.GetAppRequest(),
    "DeleteApp": service_pb2.DeleteAppRequest(),
    "PatchApp": service_pb2.PatchAppRequest(app=App(id="app", name="taken"), action="overwrite"),
    "PatchApps": service_pb2.PatchAppsRequest(apps=[App(id="app", name="taken")], action="overwrite"),
    "PostConcepts": service_pb2.PostConceptsRequest(concepts=[Concept(id="mine")]),
    "ListConcepts": service_pb2.ListConceptsRequest(),
    "GetConcept": service_pb2.GetConceptRequest(concept_id="ours"),
    "PatchConcepts": service_pb2.PatchConceptsRequest(concepts=[Concept(id="ours", name="x")], action="overwrite"),
    "PostConceptRelations": service_pb2.PostConceptRelationsRequest(
        concept_id="ours", concept_relations=[{"object_concept": {"id": "b"}, "predicate": "synonym"}]
    ),
    "ListConceptRelations": service_pb2.ListConceptRelationsRequest(),
    "DeleteConceptRelations": service_pb2.DeleteConceptRelationsRequest(concept_id="ours", ids=["x"]),
    "PostKnowledgeGraphs": service_pb2.PostKnowledgeGraphsRequest(knowledge_graphs=[{"id": "g"}]),
    "ListKnowledgeGraphs": service_pb2.ListKnowledgeGraphsRequest(),
}


def test_another_users_app_is_as_good_as_absent(client: Any) -> None:
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[Concept(id="ours")]))
    before = client.call("GetApp", service_pb2.GetAppRequest()).app
    metadata = other_user(client)
    for app_id in ("app", "there-is-none"):
        for rpc, given in FOREIGN.items():
            request = type(given)()
            request.CopyFrom(given)
            request.user_app_id.user_id, request.user_app_id.app_id = client.user_id, app_id
            reply = getattr(client.stub, rpc)(request, metadata=metadata, timeout=60)
            assert reply.status.code == ABSENT, f"{rpc}: {reply.status}"
            assert not [f for f, _ in reply.ListFields() if f.name != "status"], rpc
    assert client.call("GetApp", service_pb2.GetAppRequest()).app == before
    assert len(client.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts) == 1


def test_another_users_apps_are_not_listed(client: Any) -> None:
    request = service_pb2.ListAppsRequest(user_app_id=UserAppIDSet(user_id=client.user_id))
    metadata = other_user(client)
    assert not client.stub.ListApps(request, metadata=metadata, timeout=60).apps
    assert not client.stub.ListApps(service_pb2.ListAppsRequest(), metadata=metadata, timeout=60).apps


@pytest.mark.parametrize("user_id", ["", "me"])
def test_me_is_whoever_has_the_key(client: Any, user_id: str) -> None:
    named = UserAppIDSet(user_id=user_id, app_id="app")
    request = service_pb2.GetAppRequest(user_app_id=named)
    assert client.call("GetApp", request).app.user_id == client.user_id
    reply = client.stub.GetApp(request, metadata=other_user(client), timeout=60)
    assert reply.status.code == ABSENT


def test_what_needs_no_key_is_answered_without_one_and_with_a_wrong_one(client: Any) -> None:
    request = service_pb2.ListStatusCodesRequest()
    for metadata in ((), (("authorization", "Key wrong"),)):
        assert client.stub.ListStatusCodes(request, metadata=metadata, timeout=60).status.code == 10000


def test_every_other_rpc_needs_a_key(client: Any) -> None:
    for method in methods().values():
        if method.needs_key:
            assert first_reply(client, method, ()).status.code == status_code_pb2.CONN_INVALID_REQUEST, method.name


# --- what is not served, and the envelope ---------------------------------------------------------


def first_reply(client: Any, method: Method, metadata: Any) -> Any:
    """Call an RPC with an empty request, whichever way it streams, and return its first reply."""
    given: Any = iter([method.request()]) if method.client_streams else method.request()
    reply = getattr(client.stub, method.name)(given, metadata=metadata, timeout=60)
    if not method.server_streams:
        return reply
    replies = list(reply)
    assert len(replies) == 1, method.name
    return replies[0]


def test_an_rpc_that_is_not_served_says_so_in_an_ok_call(client: Any) -> None:
    unserved = [m for name, m in methods().items() if name not in served() and m.needs_key]
    assert set(NEVER_SERVED) <= {m.name for m in unserved}
    for method in unserved:
        status = first_reply(client, method, client.metadata).status
        assert status.code == status_code_pb2.NOT_IMPLEMENTED, method.name
        assert status.description == "Not implemented"
        assert method.name in status.details
        assert status.req_id
    streams = {(m.client_streams, m.server_streams) for m in unserved}
    assert {(False, True), (True, True)} <= streams


def test_a_stream_without_a_request_is_answered_too(client: Any) -> None:
    replies = list(client.stub.StreamModelOutputs(iter(()), metadata=client.metadata, timeout=60))
    assert [r.status.code for r in replies] == [status_code_pb2.NOT_IMPLEMENTED]


def test_every_answer_has_a_request_id_of_its_own_with_the_callers_prefix(client: Any) -> None:
    prefix = {REQUEST_ID_PREFIX: "my-run"}
    good = [status_with(client, f"Key {client.token}", **prefix) for _ in range(2)]
    bad = status_with(client, "Key x", **prefix)
    ids = {s.req_id for s in (*good, bad)}
    assert len(ids) == 3
    assert all(i.startswith("my-run") and len(i) == len("my-run") + 32 for i in ids)
    assert len(status_with(client, None).req_id) == 32
    assert len(status_with(client, None, **{REQUEST_ID_PREFIX: "p" * 1000}).req_id) == 64 + 32


def test_success_is_said_in_the_apis_words(client: Any) -> None:
    status = status_with(client, f"Key {client.token}")
    assert (status.code, status.description) == (10000, "Ok")


@pytest.mark.parametrize("wire", [b"\xff\xff\xff\xff", b"\x0a\xff", b"\x0a\x04\x0a\x02\xff\xfe"])
def test_what_is_no_message_is_answered_and_only_to_a_key(client: Any, wire: bytes) -> None:
    built, _health = grpc_server.build(client.server)
    port = built.add_insecure_port("127.0.0.1:0")
    built.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        send = channel.unary_unary(
            methods()["GetApp"].path,
            request_serializer=bytes,
            response_deserializer=service_pb2.SingleAppResponse.FromString,
        )
        status = send(wire, metadata=client.metadata, timeout=60).status
        assert status.code == status_code_pb2.CONN_BAD_REQUEST_FORMAT
        assert "GetAppRequest" in status.details
        assert send(wire, timeout=60).status.code == status_code_pb2.CONN_INVALID_REQUEST
    built.stop(0).wait()
