"""How much there is in an app, over the wire."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, Data, Input, Text, UserAppIDSet

Client = Any
"""The class of the fixture `client`."""


def counted(client: Client, **app: str) -> tuple[int, int, int, int, int]:
    request = service_pb2.GetResourceCountsRequest()
    if app:
        request.user_app_id.CopyFrom(UserAppIDSet(**app))
    found = client.call("GetResourceCounts", request)
    return found.inputs, found.models, found.workflows, found.datasets, found.pipelines


def fill(client: Client) -> None:
    inputs = [Input(data=Data(text=Text(raw="words"))) for _ in range(3)]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
    model = resources_pb2.Model(id="mapper", model_type_id="concept-synonym-mapper")
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    node = resources_pb2.WorkflowNode(id="map", model=resources_pb2.Model(id="aaa03c23b3724a16a56b629203edc62c"))
    made = resources_pb2.Workflow(id="w", nodes=[node])
    client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[made]))


def test_what_is_in_the_app_and_nowhere_else(client: Client) -> None:
    assert counted(client) == (0, 0, 0, 0, 0)
    fill(client)
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="other")]))
    assert counted(client) == (3, 1, 1, 0, 0)
    assert counted(client, user_id=client.user_id, app_id="other") == (0, 0, 0, 0, 0)
    public = counted(client, user_id="clarifai", app_id="main")
    assert public[0] == 0
    assert min(public[1:3]) > 0
    nobody = UserAppIDSet(user_id="nobody", app_id="app")
    client.call("GetResourceCounts", service_pb2.GetResourceCountsRequest(user_app_id=nobody), 11101)


def test_an_app_shows_its_counts_where_they_are_asked_for(client: Client) -> None:
    fill(client)
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="other")]))
    for fields in (["counts"], ["all"], ["stars", "counts"]):
        one = client.call("GetApp", service_pb2.GetAppRequest(additional_fields=fields)).app
        assert (one.extra_info.counts.inputs, one.extra_info.counts.models) == (3, 1)
        listed = client.call("ListApps", service_pb2.ListAppsRequest(additional_fields=fields)).apps
        assert [(a.id, a.extra_info.counts.inputs) for a in listed] == [("app", 3), ("other", 0)]
    for fields in ([], ["stars"]):
        one = client.call("GetApp", service_pb2.GetAppRequest(additional_fields=fields)).app
        assert not one.HasField("extra_info")
