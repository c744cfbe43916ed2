"""Models and workflows listed without an app: those of all the apps of a user that the caller sees."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Model, UserAppIDSet, Workflow

from tests.integration.some_people import another, owner_of, share

WRITER = resources_pb2.OutputInfo()
WRITER.params.update({"annotation_status": 24150})


@pytest.fixture
def two_apps(client: Any) -> Any:
    """Four models and four workflows, in turns in one app and in another."""
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="other")]))
    for i, app in enumerate(("app", "other", "app", "other")):
        ids = UserAppIDSet(user_id=client.user_id, app_id=app)
        model = Model(id=f"writer-{i}", model_type_id="annotation-writer", output_info=WRITER)
        client.call("PostModels", service_pb2.PostModelsRequest(user_app_id=ids, models=[model]))
        client.call(
            "PostWorkflows", service_pb2.PostWorkflowsRequest(user_app_id=ids, workflows=[Workflow(id=f"w-{i}")])
        )
    return client


def models(client: Any, user: str, **asked: Any) -> list[tuple[str, str]]:
    ids = UserAppIDSet(user_id=user)
    reply = client.call("ListModels", service_pb2.ListModelsRequest(user_app_id=ids, **asked))
    assert {(m.user_id, m.model_version.app_id) for m in reply.models} <= {(m.user_id, m.app_id) for m in reply.models}
    return [(m.app_id, m.id) for m in reply.models]


def workflows(client: Any, user: str, **asked: Any) -> list[tuple[str, str]]:
    ids = UserAppIDSet(user_id=user)
    reply = client.call("ListWorkflows", service_pb2.ListWorkflowsRequest(user_app_id=ids, **asked))
    assert [(w.app_id, w.user_id) for w in reply.workflows] == [
        (w.version.app_id, w.version.user_id) for w in reply.workflows
    ]
    return [(w.app_id, w.id) for w in reply.workflows]


def test_all_of_the_callers_apps(two_apps: Any) -> None:
    homes = ["app", "other", "app", "other"]
    for user in ("me", two_apps.user_id):
        assert models(two_apps, user) == [(app, f"writer-{i}") for i, app in enumerate(homes)]
        assert workflows(two_apps, user) == [(app, f"w-{i}") for i, app in enumerate(homes)]
    assert models(two_apps, "me", page=2, per_page=3) == [("other", "writer-3")]
    assert workflows(two_apps, "me", page=2, per_page=3) == [("other", "w-3")]
    assert models(two_apps, "me", search="writer-2") == [("app", "writer-2")]
    assert workflows(two_apps, "me", id="w-1") == [("other", "w-1")]
    assert workflows(two_apps, "me", sort_by_id=True)[0] == ("other", "w-3")
    # As the Node SDK sends it: nobody and nothing named.
    reply = two_apps.stub.ListWorkflows(service_pb2.ListWorkflowsRequest(), metadata=two_apps.metadata)
    assert [w.id for w in reply.workflows] == ["w-0", "w-1", "w-2", "w-3"]


def test_the_public_user_and_a_stranger(two_apps: Any) -> None:
    assert {app for app, _ in models(two_apps, "clarifai")} == {"main"}
    assert ("main", "General") in workflows(two_apps, "clarifai")
    assert models(two_apps, "nobody") == []
    assert workflows(two_apps, "nobody") == []


def test_of_another_user_what_is_shared_alone(two_apps: Any) -> None:
    guest = another(two_apps)
    share(two_apps, guest, "Models_Get", "Concepts_Get", "Apps_Get")
    ids = UserAppIDSet(user_id=two_apps.user_id)
    shared = guest.call("ListModels", service_pb2.ListModelsRequest(user_app_id=ids))
    assert [m.id for m in shared.models] == ["writer-0", "writer-2"]
    # For workflows the collaborator lacks the scope.
    assert not guest.call("ListWorkflows", service_pb2.ListWorkflowsRequest(user_app_id=ids)).workflows
    assert not guest.call("ListModels", service_pb2.ListModelsRequest()).models


def test_a_key_that_is_bound_to_an_app_lists_that_one(two_apps: Any) -> None:
    bound = owner_of(two_apps).bound("other")
    assert [m.id for m in bound.call("ListModels", service_pb2.ListModelsRequest()).models] == ["writer-1", "writer-3"]
    assert [w.id for w in bound.call("ListWorkflows", service_pb2.ListWorkflowsRequest()).workflows] == ["w-1", "w-3"]
