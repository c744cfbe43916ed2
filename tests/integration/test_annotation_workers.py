"""ListAnnotationWorkers: who and what has annotated."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, User, UserAppIDSet, Worker
from sqlalchemy import select, update

from labelwright.store import tables as t
from labelwright.store import users
from tests.integration.test_annotations import DOES_NOT_EXIST, add_inputs, by_model, note, post, whole

Client = Any
"""The class of the fixture `client`."""


def workers(client: Client, **fields: Any) -> list[Worker]:
    request = service_pb2.ListAnnotationWorkersRequest(**fields)
    return list(client.call("ListAnnotationWorkers", request).workers)


def shown(client: Client, **fields: Any) -> list[tuple[str, str]]:
    found = []
    for worker in workers(client, **fields):
        kind = str(worker.WhichOneof("worker"))
        ids = {"user": worker.user.id, "model": worker.model.model_version.id, "workflow": worker.workflow.version.id}
        found.append((kind, ids[kind]))
    return found


def fill(client: Client) -> None:
    add_inputs(client, "a", "b")
    post(client, note(whole(("x", 1))), note(whole(("y", 1)), "b"), note(whole(("z", 1)), user_id="anna"))
    by_model(client, whole(("x", 0.5)), whole(("y", 0.5)))
    by_model(client, whole(("x", 0.5)), model_version_id="another", workflow_version_id="", trusted=False)


def test_each_worker_once(client: Client) -> None:
    assert workers(client) == []
    fill(client)
    people = [("user", "anna"), ("user", client.user_id)]
    models = [("model", "another"), ("model", "mv")]
    assert shown(client) == [*people, *models, ("workflow", "wv")]
    assert shown(client, trusted_only=True) == [*people, ("model", "mv"), ("workflow", "wv")]
    assert shown(client, page=2, per_page=2) == models
    assert shown(client, page=4, per_page=2) == []
    client.call("ListAnnotationWorkers", service_pb2.ListAnnotationWorkersRequest(per_page=1001), 11102)


def test_a_models_and_a_workflows_names_are_shown(client: Client) -> None:
    add_inputs(client, "a")
    with client.server.store.read() as conn:
        model = conn.execute(
            select(t.model_versions.c.id).join(t.models).where(t.models.c.alias == "general-image-recognition")
        ).scalar_one()
        workflow = conn.execute(
            select(t.workflow_versions.c.id).join(t.workflows).where(t.workflows.c.id == "General")
        ).scalar_one()
    by_model(client, whole(("x", 0.5)), model_version_id=model, workflow_version_id=workflow)
    _, by, through = workers(client)
    hex_id = "aaa03c23b3724a16a56b629203edc62c"
    assert (by.model.id, by.model.user_id, by.model.app_id) == (hex_id, "clarifai", "main")
    assert by.model.model_version.id == model
    assert (through.workflow.id, through.workflow.user_id, through.workflow.app_id) == ("General", "clarifai", "main")


def test_peoples_names_only_where_they_are_asked_for(client: Client) -> None:
    add_inputs(client, "a")
    post(client, note(whole(("x", 1))), note(whole(("x", 1)), user_id="unknown here"))
    kept = User(first_name="Anna", last_name="Schmidt", company_name="secret")
    with client.server.store.write() as conn:
        conn.execute(update(t.users).where(t.users.c.id == client.user_id).values(wire=kept.SerializeToString()))
    plain = [User(id=i) for i in sorted((client.user_id, "unknown here"))]
    assert [w.user for w in workers(client)] == plain
    for fields in (["names"], ["all"]):
        named = [w.user for w in workers(client, additional_fields=fields)]
        assert User(id=client.user_id, first_name="Anna", last_name="Schmidt") in named
        assert User(id="unknown here") in named


def test_whoever_has_no_part_in_the_app_has_no_name(client: Client) -> None:
    """An owner may write in anybody's name, and must not learn by it who is a user here, and what they are called."""
    add_inputs(client, "a")
    post(client, note(whole(("x", 1)), user_id="bob"))
    wire = User(first_name="Robert", last_name="Secret").SerializeToString()
    with client.server.store.write() as conn:
        users.add(conn, "bob", wire)
    assert [w.user for w in workers(client, additional_fields=["names"])] == [User(id="bob")]
    people = [resources_pb2.Collaborator(user=User(id="bob"), scopes=["Inputs_Get"])]
    client.call("PostCollaborators", service_pb2.PostCollaboratorsRequest(collaborators=people))
    named = [User(id="bob", first_name="Robert", last_name="Secret")]
    assert [w.user for w in workers(client, additional_fields=["names"])] == named


def test_workers_of_another_app_are_not_shown(client: Client) -> None:
    fill(client)
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="other")]))
    other = UserAppIDSet(user_id=client.user_id, app_id="other")
    assert workers(client, user_app_id=other) == []
    nobody = UserAppIDSet(user_id="nobody", app_id="app")
    client.call("ListAnnotationWorkers", service_pb2.ListAnnotationWorkersRequest(user_app_id=nobody), DOES_NOT_EXIST)
