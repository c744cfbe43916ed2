"""Workflows and their versions, through the official client."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Concept,
    Data,
    Model,
    ModelVersion,
    NodeInput,
    OutputConfig,
    OutputInfo,
    Workflow,
    WorkflowNode,
    WorkflowVersion,
)
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import event

from labelwright.annotator.plans import Plans
from labelwright.errors import ModelDoesNotExist
from labelwright.ids import new_id
from labelwright.store import apps, models, users, workflows
from tests.integration.some_people import another, place, share

DUPLICATE = status_code_pb2.WORKFLOW_DUPLICATE
ARGUMENT = status_code_pb2.WORKFLOW_INVALID_ARGUMENT
GRAPH = status_code_pb2.WORKFLOW_INVALID_GRAPH
ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONN_INVALID_REQUEST
MODEL_ABSENT = status_code_pb2.MODEL_DOES_NOT_EXIST
MODEL_ARGUMENT = status_code_pb2.MODEL_INVALID_ARGUMENT

PUBLIC = resources_pb2.UserAppIDSet(user_id="clarifai", app_id="main")
EMBED, EMBED_VERSION = "bbb5f41425b8468d9b7a554ff10f8581", "bb186755eda04f9cbb6fe32e816be104"
CONCEPT, CONCEPT_VERSION = "aaa03c23b3724a16a56b629203edc62c", "aa7f35c01e0642fda5cf400f543e7c40"
CLUSTER, CLUSTER_VERSION = "cccbe437d6e54e2bb911c6aa292fb072", "cc2074cff6dc4c02b6f4e1b8606dcb54"


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def node(id: str, model: str, *inputs: str, version: str = "", user_id: str = "", app_id: str = "") -> WorkflowNode:
    made = WorkflowNode(id=id, node_inputs=[NodeInput(node_id=i) for i in inputs])
    made.model.id, made.model.user_id, made.model.app_id = model, user_id, app_id
    if version:
        made.model.model_version.id = version
    return made


def override(made: WorkflowNode, *thresholds: tuple[str, float], **params: Any) -> WorkflowNode:
    made.output_info_override.data.concepts.extend(Concept(id=i, value=v) for i, v in thresholds)
    made.output_info_override.params.CopyFrom(struct(**params))
    return made


def post(client: Any, *given: Workflow, expect: int = 10000, **more: Any) -> Any:
    return client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=given, **more), expect=expect)


def get(client: Any, workflow_id: str, expect: int = 10000, **more: Any) -> Any:
    request = service_pb2.GetWorkflowRequest(workflow_id=workflow_id, **more)
    return client.call("GetWorkflow", request, expect=expect)


def listed(client: Any, **asked: Any) -> list[str]:
    return [w.id for w in client.call("ListWorkflows", service_pb2.ListWorkflowsRequest(**asked)).workflows]


def patch(client: Any, *given: Workflow, action: str = "merge", expect: int = 10000) -> Any:
    request = service_pb2.PatchWorkflowsRequest(workflows=given, action=action)
    return client.call("PatchWorkflows", request, expect=expect)


def versions(client: Any, workflow_id: str, **asked: Any) -> list[WorkflowVersion]:
    request = service_pb2.ListWorkflowVersionsRequest(workflow_id=workflow_id, **asked)
    return list(client.call("ListWorkflowVersions", request).workflow_versions)


def add_model(client: Any, model_id: str, type_id: str, *thresholds: tuple[str, float], **params: Any) -> str:
    """Post a model; gives its version's id."""
    info = OutputInfo(data=Data(concepts=[Concept(id=i, value=v) for i, v in thresholds]), params=struct(**params))
    request = service_pb2.PostModelsRequest(models=[Model(id=model_id, model_type_id=type_id, output_info=info)])
    version_id: str = client.call("PostModels", request).model.model_version.id
    return version_id


def add_tutorial_models(client: Any) -> dict[str, str]:
    thresholds = (("peopleID", 0.5), ("manID", 0.5), ("adultID", 0.95))
    me = {"annotation_user_id": client.user_id}
    return {
        "synonym-model-id": add_model(client, "synonym-model-id", "concept-synonym-mapper", knowledge_graph_id=""),
        "greater-than-model-id": add_model(
            client, "greater-than-model-id", "concept-threshold", *thresholds, concept_threshold_type=1
        ),
        "less-than-model-id": add_model(
            client, "less-than-model-id", "concept-threshold", *thresholds, concept_threshold_type=3
        ),
        "write-success-model-id": add_model(
            client, "write-success-model-id", "annotation-writer", annotation_status=24150, **me
        ),
        "write-pending-model-id": add_model(
            client, "write-pending-model-id", "annotation-writer", annotation_status=24151, **me
        ),
    }


def tutorial_nodes(made: dict[str, str]) -> list[WorkflowNode]:
    return [
        node("general-embed", EMBED, version=EMBED_VERSION),
        node("general-concept", CONCEPT, version=CONCEPT_VERSION),
        node("general-cluster", CLUSTER, version=CLUSTER_VERSION),
        node("mapper", "synonym-model-id", "general-concept", version=made["synonym-model-id"]),
        node("greater-than", "greater-than-model-id", "mapper", version=made["greater-than-model-id"]),
        node("write-success", "write-success-model-id", "greater-than", version=made["write-success-model-id"]),
        node("less-than", "less-than-model-id", "mapper", version=made["less-than-model-id"]),
        node("write-pending", "write-pending-model-id", "less-than", version=made["write-pending-model-id"]),
    ]


def over(client: Any, value: float = 0.5) -> str:
    """A thresholder 'over'; gives its version's id."""
    return add_model(client, "over", "concept-threshold", ("ai_l8TKp2h5", value), concept_threshold_type=1)


def two_nodes() -> list[WorkflowNode]:
    return [node("see", CONCEPT), node("sift", "over", "see")]


def change_model(client: Any, value: float) -> str:
    """Another version of 'over'."""
    info = OutputInfo(data=Data(concepts=[Concept(id="ai_l8TKp2h5", value=value)]))
    request = service_pb2.PatchModelsRequest(models=[Model(id="over", output_info=info)], action="overwrite")
    version_id: str = client.call("PatchModels", request).models[0].model_version.id
    return version_id


def stranger(client: Any) -> Any:
    """Another user's client, on the same server."""
    user_id, token = f"user-{new_id()[-8:]}", new_id()
    with client.server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    named = resources_pb2.UserAppIDSet(user_id=user_id, app_id="app")
    made = dataclasses.replace(client, user_id=user_id, token=token, user_app_id=named)
    made.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="app")]))
    return made


def make_default(client: Any, workflow_id: str) -> None:
    app = resources_pb2.App(id="app", default_workflow_id=workflow_id)
    client.call("PatchApps", service_pb2.PatchAppsRequest(apps=[app], action="overwrite"))


# --- adding ---------------------------------------------------------------------------------------


def test_the_tutorials_workflow(client: Any) -> None:
    made = add_tutorial_models(client)
    nodes = tutorial_nodes(made)
    reply = post(client, Workflow(id="auto-annotation-workflow-id", nodes=nodes))
    workflow = reply.workflows[0]
    assert (workflow.id, workflow.app_id, workflow.user_id) == (
        "auto-annotation-workflow-id",
        "app",
        client.user_id,
    )
    assert workflow.created_at.seconds > 0
    assert len(workflow.version.id) == 32
    assert workflow.version.workflow_id == workflow.id
    assert not workflow.version.is_deprecated
    assert list(workflow.nodes) == list(workflow.version.nodes)
    assert [n.id for n in workflow.nodes] == [n.id for n in nodes]
    shown = {n.id: n for n in workflow.nodes}
    for given in nodes:
        echo = shown[given.id]
        assert (echo.model.id, echo.model.model_version.id) == (given.model.id, given.model.model_version.id)
        assert list(echo.node_inputs) == list(given.node_inputs)
        public = given.id.startswith("general-")
        assert (echo.model.user_id, echo.model.app_id) == (("clarifai", "main") if public else (client.user_id, "app"))
    assert shown["general-concept"].model.model_type_id == "visual-classifier"
    assert shown["write-pending"].model.model_type_id == "annotation-writer"
    assert get(client, workflow.id).workflow == workflow
    make_default(client, workflow.id)
    with client.server.store.read() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        plan = Plans().default(conn, app)
    assert [n.id for n in plan.nodes] == [n.id for n in nodes]
    assert plan.predicted_by == {"write-success": CONCEPT_VERSION, "write-pending": CONCEPT_VERSION}


def test_posting_takes_the_same_number_of_queries_for_one_node_as_for_many(client: Any) -> None:
    made = add_tutorial_models(client)
    seen: list[str] = []
    engine = client.server.store.engine

    def count(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    post(client, Workflow(id="one", nodes=[node("a", CONCEPT)]))
    one = len(seen)
    seen.clear()
    post(client, Workflow(id="all", nodes=tutorial_nodes(made)))
    event.remove(engine, "before_cursor_execute", count)
    # Own models and public ones, versions named and newest: one more query at most.
    assert len(seen) <= one + 1


def test_nodes_come_back_in_an_order_in_which_they_can_run(client: Any) -> None:
    nodes = tutorial_nodes(add_tutorial_models(client))[::-1]
    workflow = post(client, Workflow(id="turned", nodes=nodes)).workflows[0]
    order = [n.id for n in workflow.nodes]
    assert all(order.index(i.node_id) < order.index(n.id) for n in nodes for i in n.node_inputs)
    assert [n.id for n in get(client, "turned").workflow.nodes] == order


def test_nodes_are_read_from_the_version_too_and_may_be_none(client: Any) -> None:
    version = WorkflowVersion(nodes=[node("a", CONCEPT)], description="first")
    made = post(client, Workflow(id="new", version=version, description="whole")).workflows[0]
    assert [n.id for n in made.nodes] == ["a"]
    assert (made.description, made.version.description) == ("whole", "first")
    assert list(post(client, Workflow(id="none")).workflows[0].nodes) == []


def test_a_node_without_a_version_gets_the_newest_and_keeps_it(client: Any) -> None:
    over(client)
    second = change_model(client, 0.75)
    workflow = post(client, Workflow(id="w", nodes=two_nodes())).workflows[0]
    assert workflow.nodes[1].model.model_version.id == second
    change_model(client, 0.25)
    assert get(client, "w").workflow == workflow


def test_models_are_found_by_alias_and_echoed_as_they_were_posted(client: Any) -> None:
    workflow = post(client, Workflow(id="w", nodes=[node("a", "general-image-recognition")])).workflows[0]
    model = workflow.nodes[0].model
    assert (model.id, model.model_version.id) == ("general-image-recognition", CONCEPT_VERSION)
    assert (model.user_id, model.app_id, model.model_type_id) == ("clarifai", "main", "visual-classifier")


@pytest.mark.parametrize("named", [{"user_id": "clarifai", "app_id": "main"}, {"app_id": "main"}])
def test_an_own_model_comes_first_unless_the_public_app_is_named(client: Any, named: dict[str, str]) -> None:
    add_model(client, "general-image-embedding", "annotation-writer", annotation_status=24150)
    nodes = [node("own", "general-image-embedding"), node("public", "general-image-embedding", **named)]
    made = post(client, Workflow(id="w", nodes=nodes)).workflows[0].nodes
    assert [n.model.model_type_id for n in made] == ["annotation-writer", "visual-embedder"]


def test_a_node_may_use_a_model_of_another_own_app_but_of_nobody_elses(client: Any) -> None:
    over(client)
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="second")]))
    second = resources_pb2.UserAppIDSet(user_id="me", app_id="second")
    nodes = [node("see", CONCEPT), node("sift", "over", "see", user_id="me", app_id="app")]
    made = post(client, Workflow(id="w", nodes=nodes), user_app_id=second).workflows[0]
    assert (made.app_id, made.nodes[1].model.app_id) == ("second", "app")
    assert made.nodes[1].model.user_id == client.user_id
    plain = [node("see", CONCEPT), node("sift", "over", "see")]
    post(client, Workflow(id="x", nodes=plain), user_app_id=second, expect=MODEL_ABSENT)
    other = stranger(client)
    nodes[1].model.user_id = client.user_id
    details = post(other, Workflow(id="w", nodes=nodes), expect=MODEL_ABSENT).status.details
    for part in ("'w'", "'sift'", "'over'", client.user_id, "can't see"):
        assert part in details


def bad(*nodes: WorkflowNode) -> list[WorkflowNode]:
    return list(nodes)


BAD: dict[str, tuple[list[WorkflowNode], int, list[str]]] = {
    "no model": (bad(node("a", "")), ARGUMENT, ["'a'", "model.id is empty"]),
    "an unknown model": (bad(node("a", "gone")), MODEL_ABSENT, ["'a'", "'gone'", "/app", "clarifai/main"]),
    "an unknown version": (
        bad(node("a", CONCEPT, version="gone")),
        MODEL_ABSENT,
        ["'a'", CONCEPT, "'gone'", CONCEPT_VERSION],
    ),
    "a version of another model": (bad(node("a", CONCEPT, version=EMBED_VERSION)), MODEL_ABSENT, ["'a'", CONCEPT]),
    "a model without versions": (bad(node("a", "bare")), MODEL_ABSENT, ["'a'", "'bare'", "none yet"]),
    "a node id that can't be printed": (bad(node("a\n", CONCEPT)), ARGUMENT, ["white space"]),
    "no node id": (bad(node("", CONCEPT)), GRAPH, ["no id"]),
    "two nodes of one id": (bad(node("a", CONCEPT), node("a", CONCEPT)), GRAPH, ["'a'"]),
    "an unknown predecessor": (bad(node("a", CONCEPT, "b")), GRAPH, ["'a'", "'b'"]),
    "itself": (bad(node("a", CONCEPT, "a")), GRAPH, ["'a'"]),
    "a cycle": (bad(node("a", "write", "b"), node("b", "write", "a")), GRAPH, ["a → b → a"]),
    "too many": (bad(*(node(f"n{i}", CONCEPT) for i in range(21))), GRAPH, ["21", "20"]),
    "a thresholder behind an embedder": (
        bad(node("embed", EMBED), node("sift", "over", "embed")),
        GRAPH,
        ["'sift' (concept-threshold)", "embeddings", "concepts"],
    ),
    "a mapper of the raw input": (bad(node("map", "mapper")), GRAPH, ["'map'", "no node_inputs"]),
    "an override that isn't legal": (
        bad(node("see", CONCEPT), override(node("sift", "over", "see"), concept_threshold_type="ABOVE")),
        MODEL_ARGUMENT,
        ["'sift'", "'ABOVE'", "GREATER_THAN (1)"],
    ),
    "an override of a parameter that there isn't": (
        bad(override(node("see", CONCEPT), speed=1)),
        MODEL_ARGUMENT,
        ["'see'", "'speed'"],
    ),
    "an override of the thresholds twice": (
        bad(node("see", CONCEPT), override(node("sift", "over", "see"), ("a", 0.1), ("a", 0.2))),
        MODEL_ARGUMENT,
        ["'sift'", "'a'", "two"],
    ),
    "an override with a graph that isn't there": (
        bad(node("see", CONCEPT), override(node("map", "mapper", "see"), knowledge_graph_id="zoo")),
        MODEL_ARGUMENT,
        ["'map'", "'zoo'"],
    ),
    "an override with a floor below zero": (
        bad(
            WorkflowNode(
                id="see",
                model=Model(id=CONCEPT),
                output_info_override=OutputInfo(output_config=OutputConfig(min_value=-1)),
            )
        ),
        MODEL_ARGUMENT,
        ["'see'", "min_value"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(client: Any, case: str) -> None:
    over(client)
    add_model(client, "mapper", "concept-synonym-mapper")
    add_model(client, "write", "annotation-writer", annotation_status=24150)
    bare = service_pb2.PostModelsRequest(models=[Model(id="bare", model_type_id="concept-threshold")])
    client.call("PostModels", bare)
    nodes, code, says = BAD[case]
    reply = post(client, Workflow(id="good", nodes=two_nodes()), Workflow(id="bad", nodes=nodes), expect=code)
    for part in ("workflow 'bad'", *says):
        assert part in reply.status.details
    assert listed(client) == []


def test_ids(client: Any) -> None:
    for workflow_id, says in (("", "empty"), ("a b", "'a b'"), ("a" * 65, "65")):
        assert says in post(client, Workflow(id=workflow_id), expect=ARGUMENT).status.details
    assert "1 to 128" in post(client, expect=ARGUMENT).status.details
    post(client, Workflow(id="a"))
    for given in (["a"], ["b", "b"]):
        reply = post(client, *(Workflow(id=i) for i in given), expect=DUPLICATE)
        assert f"duplicate workflow id: {given[0]}" in reply.status.details
    assert listed(client) == ["a"]


def test_an_override_is_kept_shown_and_run(client: Any) -> None:
    over(client)
    given = override(node("sift", "over", "see"), ("ai_l8TKp2h5", 0.875), concept_threshold_type="LESS_THAN")
    given.output_info_override.message = "of no account"
    given.suppress_output = True
    made = post(client, Workflow(id="w", nodes=[node("see", CONCEPT), given])).workflows[0]
    shown = made.nodes[1]
    assert shown.suppress_output
    assert shown.output_info_override.data == given.output_info_override.data
    assert dict(shown.output_info_override.params) == {"concept_threshold_type": "LESS_THAN"}
    assert shown.output_info_override.message == ""


# --- reading --------------------------------------------------------------------------------------


def test_base_workflows_are_readable_by_all(client: Any) -> None:
    assert sorted(listed(client, user_app_id=PUBLIC)) == ["Empty", "General", "Universal"]
    for named in (client.user_app_id, PUBLIC):
        general = get(client, "General", user_app_id=named).workflow
        assert (general.user_id, general.app_id) == ("clarifai", "main")
        assert [n.id for n in general.nodes] == ["general-v1.5-concept", "general-v1.5-embed", "general-v1.5-cluster"]
        assert general.nodes[0].model.model_version.id == CONCEPT_VERSION
        assert not general.version.is_deprecated
    assert list(get(client, "Empty").workflow.nodes) == []
    post(client, Workflow(id="General"))
    assert get(client, "General").workflow.app_id == "app"


def test_without_an_id_the_default_workflow_is_given(client: Any) -> None:
    assert get(client, "").workflow.id == "Empty"
    post(client, Workflow(id="mine"))
    make_default(client, "mine")
    assert get(client, "").workflow.id == "mine"
    client.call("DeleteWorkflow", service_pb2.DeleteWorkflowRequest(workflow_id="mine"))
    assert "no default workflow" in get(client, "", expect=ABSENT).status.details


def test_missing_workflows_and_versions(client: Any) -> None:
    status = get(client, "gone", expect=ABSENT).status
    assert status.description == "Resource does not exist"
    assert "'gone'" in status.details
    newest = post(client, Workflow(id="w")).workflows[0].version.id
    request = service_pb2.GetWorkflowVersionRequest(workflow_id="w", workflow_version_id="gone")
    details = client.call("GetWorkflowVersion", request, expect=ABSENT).status.details
    assert "'gone'" in details
    assert newest in details


def test_walls(client: Any) -> None:
    post(client, Workflow(id="mine"))
    other = stranger(client)
    get(other, "mine", expect=ABSENT)
    assert listed(other) == []
    for named, changer in ((client.user_app_id, other), (PUBLIC, client)):
        changes: dict[str, Any] = {
            "PostWorkflows": service_pb2.PostWorkflowsRequest(workflows=[Workflow(id="theirs")]),
            "PatchWorkflows": service_pb2.PatchWorkflowsRequest(
                workflows=[Workflow(id="mine", notes="x")], action="merge"
            ),
            "DeleteWorkflow": service_pb2.DeleteWorkflowRequest(workflow_id="mine"),
            "DeleteWorkflows": service_pb2.DeleteWorkflowsRequest(delete_all=True),
            "DeleteWorkflowVersions": service_pb2.DeleteWorkflowVersionsRequest(
                workflow_id="mine", workflow_version_ids=["x"]
            ),
        }
        for rpc, request in changes.items():
            request.user_app_id.CopyFrom(named)
            changer.call(rpc, request, expect=ABSENT)
    reads: dict[str, Any] = {
        "GetWorkflow": service_pb2.GetWorkflowRequest(workflow_id="mine"),
        "ListWorkflows": service_pb2.ListWorkflowsRequest(),
        "ListWorkflowVersions": service_pb2.ListWorkflowVersionsRequest(workflow_id="mine"),
    }
    for rpc, request in reads.items():
        request.user_app_id.CopyFrom(client.user_app_id)
        other.call(rpc, request, expect=ABSENT)
    # Nor through the fall back that reading has.
    client.call("DeleteWorkflow", service_pb2.DeleteWorkflowRequest(workflow_id="General"), expect=ABSENT)
    patch(client, Workflow(id="General", notes="x"), expect=ABSENT)
    assert listed(client) == ["mine"]
    assert len(listed(client, user_app_id=PUBLIC)) == 3


def test_listing_filters_sorts_and_pages(client: Any) -> None:
    post(client, Workflow(id="b", description="birds"))
    post(client, Workflow(id="a"))
    post(client, Workflow(id="c_d"))
    patch(client, Workflow(id="b", notes="changed last"))
    assert listed(client) == ["b", "a", "c_d"], "oldest first"
    assert listed(client, sort_by_modified_at=True) == ["b", "c_d", "a"]
    assert listed(client, sort_by_id=True, sort_ascending=True) == ["a", "b", "c_d"]
    assert listed(client, sort_by_created_at=True) == ["c_d", "a", "b"]
    assert listed(client, page=2, per_page=2) == ["c_d"]
    assert listed(client, page=9, per_page=9) == []
    assert listed(client, id="C*") == ["c_d"]
    assert listed(client, search="bir") == ["b"]
    assert listed(client, query="d") == ["c_d"]
    assert listed(client, bookmark=True) == []
    visible = resources_pb2.Visibility(gettable=resources_pb2.Visibility.PUBLIC)
    assert listed(client, visibility=visible) == []


def test_listing_by_words_and_relevance(client: Any) -> None:
    post(client, Workflow(id="a", description="about cats and dogs"))
    post(client, Workflow(id="cats"))
    post(client, Workflow(id="b", notes="cats"))
    assert listed(client, query="cats -dogs") == ["cats", "b"]
    assert listed(client, query="cat") == []
    assert listed(client, query="dogs OR b") == ["a", "b"]
    assert listed(client, search_term="cat") == ["a", "cats", "b"]
    assert listed(client, search="cat", sort_by_relevance=True) == ["cats", "a", "b"]
    assert listed(client, search="cat", sort_by_relevance=True, page=2, per_page=2) == ["b"]
    request = service_pb2.ListWorkflowsRequest(sort_by_relevance=True)
    client.call("ListWorkflows", request, expect=status_code_pb2.CONN_INVALID_REQUEST)


def test_a_collaborator_names_models_of_the_app_by_its_id_alone(client: Any) -> None:
    over(client)
    guest = another(client)
    share(client, guest, "All")
    theirs = node("n", "over")
    theirs.model.app_id = "app"
    first = node("embed", "general-image-recognition")
    theirs.node_inputs.add(node_id="embed")
    request = service_pb2.PostWorkflowsRequest(
        user_app_id=place(client), workflows=[Workflow(id="w", nodes=[first, theirs])]
    )
    made = guest.call("PostWorkflows", request).workflows[0]
    assert [n.model.user_id for n in made.nodes] == ["clarifai", client.user_id]


# --- changing -------------------------------------------------------------------------------------


def test_changed_nodes_make_a_version_and_other_changes_do_not(client: Any) -> None:
    over(client)
    first = post(client, Workflow(id="w", nodes=two_nodes(), metadata=struct(a=1))).workflows[0]
    said = patch(client, Workflow(id="w", description="d", metadata=struct(b=2))).workflows[0]
    assert said.version == first.version
    assert (said.description, dict(said.metadata)) == ("d", {"a": 1, "b": 2})
    assert patch(client, Workflow(id="w", nodes=two_nodes()), action="overwrite").workflows[0].version == first.version
    added = patch(client, Workflow(id="w", nodes=[node("embed", EMBED)])).workflows[0]
    assert [n.id for n in added.nodes] == ["see", "sift", "embed"]
    assert added.version.id != first.version.id
    only = patch(client, Workflow(id="w", nodes=[node("embed", EMBED)]), action="overwrite").workflows[0]
    assert [n.id for n in only.nodes] == ["embed"]
    assert (only.description, dict(only.metadata)) == ("d", {"a": 1, "b": 2})
    history = versions(client, "w")
    assert [len(v.nodes) for v in history] == [1, 3, 2]
    assert history[2] == first.version
    assert [v.id for v in versions(client, "w", page=2, per_page=1)] == [added.version.id]
    request = service_pb2.GetWorkflowVersionRequest(workflow_id="w", workflow_version_id=first.version.id)
    assert client.call("GetWorkflowVersion", request).workflow_version == first.version


def test_a_merged_node_takes_the_fields_that_are_set(client: Any) -> None:
    first = over(client)
    second = change_model(client, 0.75)
    pinned = [node("see", CONCEPT), node("sift", "over", "see", version=first)]
    post(client, Workflow(id="w", nodes=pinned))
    kept = patch(client, Workflow(id="w", nodes=[override(WorkflowNode(id="sift"), ("a", 0.5))])).workflows[0]
    assert kept.nodes[1].model.model_version.id == first
    assert [i.node_id for i in kept.nodes[1].node_inputs] == ["see"]
    assert kept.nodes[1].output_info_override.data.concepts[0].id == "a"
    moved = WorkflowNode(id="sift", model=Model(model_version=ModelVersion(id=second)))
    assert patch(client, Workflow(id="w", nodes=[moved])).workflows[0].nodes[1].model.model_version.id == second
    newest = change_model(client, 0.25)
    named = patch(client, Workflow(id="w", nodes=[WorkflowNode(id="sift", model=Model(id="over"))])).workflows[0]
    assert named.nodes[1].model.model_version.id == newest


def test_remove_takes_nodes_and_the_image(client: Any) -> None:
    over(client)
    image = resources_pb2.Image(url="https://example.com/a.png")
    post(client, Workflow(id="w", nodes=two_nodes(), image=image))
    reply = patch(client, Workflow(id="w", nodes=[WorkflowNode(id="see")]), action="remove", expect=GRAPH)
    assert "'sift'" in reply.status.details
    left = patch(client, Workflow(id="w", nodes=[WorkflowNode(id="sift")]), action="remove").workflows[0]
    assert [n.id for n in left.nodes] == ["see"]
    assert left.image == image
    assert not patch(client, Workflow(id="w", image=image), action="remove").workflows[0].HasField("image")
    patch(client, Workflow(id="w", description="d"), action="remove", expect=INVALID)


@pytest.mark.parametrize("action", ["merge", "overwrite"])
@pytest.mark.parametrize("place", ["workflow", "version"])
def test_what_was_read_can_be_changed_at_either_place_and_sent_back(client: Any, action: str, place: str) -> None:
    over(client)
    post(client, Workflow(id="w", nodes=two_nodes()))
    workflow = get(client, "w").workflow
    holder = workflow if place == "workflow" else workflow.version
    holder.nodes[0].suppress_output = True
    made = patch(client, workflow, action=action).workflows[0]
    assert made.nodes[0].suppress_output
    assert len(versions(client, "w")) == 2
    assert patch(client, get(client, "w").workflow, action=action).workflows[0].version == made.version


def test_patches_that_are_refused_change_nothing(client: Any) -> None:
    over(client)
    post(client, Workflow(id="a", nodes=two_nodes()), Workflow(id="b"))
    before = [get(client, i).workflow for i in "ab"]
    cases: list[tuple[list[Workflow], int, list[str]]] = [
        ([], ARGUMENT, ["0 workflows"]),
        ([Workflow(id="a", notes="x"), Workflow(id="a")], ARGUMENT, ["'a'", "twice"]),
        ([Workflow(id="a", notes="x"), Workflow(id="c")], ABSENT, ["'c'"]),
        ([Workflow(id="a", notes="x"), Workflow(id="b", nodes=[node("n", "gone")])], MODEL_ABSENT, ["'b'", "'n'"]),
        ([Workflow(id="a", nodes=[node("see", CONCEPT, "sift")])], GRAPH, ["'a'", "circle"]),
        ([Workflow(id="a", notes="x" * 65537)], ARGUMENT, ["'a'", "65537"]),
    ]
    for given, code, says in cases:
        reply = patch(client, *given, expect=code)
        assert all(part in reply.status.details for part in says), reply.status
        assert [get(client, i).workflow for i in "ab"] == before
    patch(client, Workflow(id="a"), action="replace", expect=INVALID)


def test_renaming_a_workflow_keeps_it_the_default_and_renaming_a_model_shows(client: Any) -> None:
    over(client)
    post(client, Workflow(id="w", nodes=two_nodes()), Workflow(id="taken"))
    make_default(client, "w")

    def rename(rpc: str, request: Any, old: str, new: str, expect: int = 10000) -> Any:
        made = request(action="overwrite")
        made.ids.add(id=old, new_id=new)
        return client.call(rpc, made, expect=expect)

    workflow = service_pb2.PatchWorkflowIdsRequest
    rename("PatchWorkflowIds", workflow, "w", "taken", DUPLICATE)
    rename("PatchWorkflowIds", workflow, "w", "", ARGUMENT)
    rename("PatchWorkflowIds", workflow, "gone", "x", ABSENT)
    assert rename("PatchWorkflowIds", workflow, "w", "v").workflows[0].version.workflow_id == "v"
    assert get(client, "").workflow.id == "v"
    rename("PatchModelIds", service_pb2.PatchModelIdsRequest, "over", "above")
    assert get(client, "v").workflow.nodes[1].model.id == "above"
    with client.server.store.read() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        assert [n.model.model_id for n in Plans().default(conn, app).nodes] == [CONCEPT, "above"]


# --- versions -------------------------------------------------------------------------------------


def test_versions_can_be_described_and_deleted_but_one_stays(client: Any) -> None:
    first = post(client, Workflow(id="w", nodes=[node("a", CONCEPT)])).workflows[0].version
    second = patch(client, Workflow(id="w", nodes=[node("b", EMBED)])).workflows[0].version
    described = service_pb2.PatchWorkflowVersionsRequest(
        workflow_id="w", action="merge", workflow_versions=[WorkflowVersion(id=first.id, description="old")]
    )
    made = client.call("PatchWorkflowVersions", described).workflow_versions[0]
    assert (made.id, made.description, list(made.nodes)) == (first.id, "old", list(first.nodes))
    described.workflow_versions[0].nodes.extend(second.nodes)
    assert "fixed" in client.call("PatchWorkflowVersions", described, expect=ARGUMENT).status.details

    def delete(*ids: str, expect: int = 10000) -> Any:
        request = service_pb2.DeleteWorkflowVersionsRequest(workflow_id="w", workflow_version_ids=ids)
        return client.call("DeleteWorkflowVersions", request, expect=expect)

    delete(expect=ARGUMENT)
    delete(second.id, "gone", expect=ABSENT)
    assert "DeleteWorkflow" in delete(first.id, second.id, expect=ARGUMENT).status.details
    delete(second.id)
    assert get(client, "w").workflow.version.id == first.id
    delete(first.id, expect=ARGUMENT)


def test_deleting_a_model_deprecates_the_versions_that_name_it(client: Any) -> None:
    over(client)
    post(client, Workflow(id="w", nodes=two_nodes()), Workflow(id="other", nodes=[node("see", CONCEPT)]))
    make_default(client, "w")
    patch(client, Workflow(id="w", description="kept"))
    plans = Plans()

    def plan() -> list[str]:
        with client.server.store.read() as conn:
            app = apps.get(conn, client.user_id, "app")
            assert app is not None
            return [n.id for n in plans.default(conn, app).nodes]

    assert plan() == ["see", "sift"]
    client.call("DeleteModels", service_pb2.DeleteModelsRequest(ids=["over"]))
    gone = get(client, "w").workflow
    assert gone.version.is_deprecated
    assert [n.model.id for n in gone.nodes] == [CONCEPT, "over"], "what it was stays to be seen"
    assert not get(client, "other").workflow.version.is_deprecated
    # A worker that remembers the plan must not go on labelling with it.
    with pytest.raises(ModelDoesNotExist, match="'sift'"):
        plan()
    reply = patch(client, Workflow(id="w", nodes=[node("more", EMBED)]), expect=MODEL_ABSENT)
    assert "'sift'" in reply.status.details
    assert patch(client, Workflow(id="w", description="still")).workflows[0].version.is_deprecated
    mended = patch(client, Workflow(id="w", nodes=[node("see", CONCEPT)]), action="overwrite").workflows[0]
    assert not mended.version.is_deprecated
    assert [v.is_deprecated for v in versions(client, "w")] == [False, True]
    assert plan() == ["see"]


def test_deleting_one_version_of_a_model_deprecates_those_that_name_it_alone(client: Any) -> None:
    first = over(client)
    post(client, Workflow(id="old", nodes=two_nodes()))
    second = change_model(client, 0.75)
    post(client, Workflow(id="new", nodes=two_nodes()))
    client.call("DeleteModelVersion", service_pb2.DeleteModelVersionRequest(model_id="over", version_id=first))
    reply = client.call("ListWorkflows", service_pb2.ListWorkflowsRequest())
    assert {w.id: w.version.is_deprecated for w in reply.workflows} == {"old": True, "new": False}
    with client.server.store.read() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        row = workflows.get(conn, app.pk, "new")
        assert row is not None
        version = workflows.version(conn, row.pk)
        assert version is not None
        pins = [n.model_version for n in workflows.nodes(conn, version.pk)]
        assert [v.id for v in models.versions_by_pk(conn, pins).values() if v.model_id == "over"] == [second]


# --- deleting -------------------------------------------------------------------------------------


def test_deleting(client: Any) -> None:
    post(client, *(Workflow(id=i) for i in "abcd"))
    client.call("DeleteWorkflow", service_pb2.DeleteWorkflowRequest(workflow_id="a"))
    gone = service_pb2.DeleteWorkflowRequest(workflow_id="a")
    assert client.call("DeleteWorkflow", gone, expect=ABSENT).status.description == "Resource does not exist"
    client.call("DeleteWorkflows", service_pb2.DeleteWorkflowsRequest(ids=["b", "b"]))
    reply = client.call("DeleteWorkflows", service_pb2.DeleteWorkflowsRequest(ids=["c", "gone"]), expect=ABSENT)
    assert "'gone'" in reply.status.details
    assert sorted(listed(client)) == ["c", "d"]
    for wrong in (
        service_pb2.DeleteWorkflowsRequest(),
        service_pb2.DeleteWorkflowsRequest(ids=["c"], delete_all=True),
    ):
        client.call("DeleteWorkflows", wrong, expect=ARGUMENT)
    make_default(client, "c")
    client.call("DeleteWorkflows", service_pb2.DeleteWorkflowsRequest(delete_all=True))
    assert listed(client) == []
    app = client.call("GetApp", service_pb2.GetAppRequest()).app
    assert app.default_workflow_id == ""
    assert post(client, Workflow(id="a")).workflows[0].id == "a"


def test_too_many_nodes_are_refused_before_their_models_are_looked_for(client: Any) -> None:
    nodes = [WorkflowNode(id=f"n{i}", model=Model(id=f"none{i}")) for i in range(21)]
    request = service_pb2.PostWorkflowsRequest(workflows=[Workflow(id="w", nodes=nodes)])
    reply = client.call("PostWorkflows", request, expect=status_code_pb2.WORKFLOW_INVALID_GRAPH)
    assert "21 nodes; 20 at most" in reply.status.details


# --- the calls that the SDK makes of a YAML file ---------------------------------------------------


def from_yaml(client: Any, *wanted: dict[str, Any]) -> list[Model]:
    """The models of a file's nodes, looked for and made as the SDK does it."""
    found = []
    for said in wanted:
        request = service_pb2.GetModelRequest(model_id=said["id"])
        reply = client.call("GetModel", request, expect=None)
        params = struct(**said["params"]) if "params" in said else None
        if reply.status.code != 10000:
            # The SDK looks for this text in the status as it prints it.
            assert "Model does not exist" in str(reply.status)
            model = Model(id=said["id"], model_type_id=said["type"], description="of a file")
            client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
        elif (
            "params" not in said or said["params"].items() <= dict(reply.model.model_version.output_info.params).items()
        ):
            found.append(reply.model)
            continue
        version = resources_pb2.ModelVersion(output_info=OutputInfo(params=params) if params else None)
        post_version = service_pb2.PostModelVersionsRequest(model_id=said["id"], model_versions=[version])
        found.append(client.call("PostModelVersions", post_version).model)
    return found


def test_a_yaml_file_makes_the_models_that_are_not_there_and_finds_them_again(client: Any) -> None:
    file: list[dict[str, Any]] = [
        {"id": "general-image-recognition"},
        {"id": "map", "type": "concept-synonym-mapper"},
        {
            "id": "sift",
            "type": "concept-threshold",
            "params": {"concept_threshold_type": "GREATER_THAN", "filter_other_concepts": False},
        },
        {"id": "write", "type": "annotation-writer", "params": {"annotation_status": 24150}},
    ]
    made = from_yaml(client, *file)
    nodes = []
    for i, model in enumerate(made):
        inputs = [resources_pb2.NodeInput(node_id=f"n{i - 1}")] if i else []
        nodes.append(WorkflowNode(id=f"n{i}", model=model, node_inputs=inputs))
    (workflow,) = post(client, Workflow(id="of-a-file", nodes=nodes)).workflows
    assert [n.model.id for n in workflow.nodes] == [said["id"] for said in file]
    assert [n.model.model_version.id for n in workflow.nodes] == [m.model_version.id for m in made]
    again = from_yaml(client, *file)
    assert [m.model_version.id for m in again] == [m.model_version.id for m in made], "no version is made twice"
    other = file[3] | {"params": {"annotation_status": 24151}}
    (changed,) = from_yaml(client, other)
    assert changed.model_version.id != made[3].model_version.id
