"""Knowledge graphs, through the official client."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import KnowledgeGraph, UserAppIDSet
from clarifai_grpc.grpc.api.status import status_code_pb2

INVALID = status_code_pb2.CONCEPTS_INVALID_REQUEST
ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST


def post(client: Any, *graphs: KnowledgeGraph, expect: int = 10000) -> Any:
    request = service_pb2.PostKnowledgeGraphsRequest(knowledge_graphs=graphs)
    return client.call("PostKnowledgeGraphs", request, expect=expect)


def listed(client: Any) -> list[KnowledgeGraph]:
    reply = client.call("ListKnowledgeGraphs", service_pb2.ListKnowledgeGraphsRequest())
    return list(reply.knowledge_graphs)


def test_posted_graphs_come_back_in_order(client: Any) -> None:
    given = KnowledgeGraph(
        id="food",
        name="Food",
        description="what one eats",
        examples_app_id="examples",
        sampled_examples_app_id="samples",
    )
    made = list(post(client, given, KnowledgeGraph(id="cars")).knowledge_graphs)
    assert made == [given, KnowledgeGraph(id="cars", name="cars")]
    assert listed(client) == made


def test_a_graph_without_an_id_gets_one(client: Any) -> None:
    (graph,) = post(client, KnowledgeGraph(description="d")).knowledge_graphs
    assert len(graph.id) == 32
    assert listed(client) == [graph]


def test_a_duplicate_is_refused_and_nothing_is_added(client: Any) -> None:
    post(client, KnowledgeGraph(id="a"))
    for given in (
        [KnowledgeGraph(id="new"), KnowledgeGraph(id="a")],
        [KnowledgeGraph(id="new"), KnowledgeGraph(id="new")],
    ):
        assert "duplicate" in post(client, *given, expect=INVALID).status.details
    assert [g.id for g in listed(client)] == ["a"]


@pytest.mark.parametrize("graph_id", ["a/b", " ", "x" * 65])
def test_an_id_that_is_not_legal_is_refused(client: Any, graph_id: str) -> None:
    assert "knowledge graph id" in post(client, KnowledgeGraph(id=graph_id), expect=INVALID).status.details


def test_one_to_128_graphs_a_call(client: Any) -> None:
    post(client, expect=INVALID)
    post(client, *[KnowledgeGraph(id=f"g{i}") for i in range(129)], expect=INVALID)


def test_graphs_belong_to_their_app(client: Any) -> None:
    public = UserAppIDSet(user_id="clarifai", app_id="main")
    request = service_pb2.PostKnowledgeGraphsRequest(user_app_id=public, knowledge_graphs=[KnowledgeGraph(id="a")])
    client.call("PostKnowledgeGraphs", request, expect=ABSENT)
    post(client, KnowledgeGraph(id="a"))
    reply = client.call("ListKnowledgeGraphs", service_pb2.ListKnowledgeGraphsRequest(user_app_id=public))
    assert not reply.knowledge_graphs
