"""Knowledge graphs: named subsets of an app's relations. The one without a name needs no posting."""

from __future__ import annotations

from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.errors import ConceptsInvalidRequest
from labelwright.ids import new_id, resource_id_problem
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.wire import parse, without
from labelwright.store import knowledge_graphs

MAX_GRAPHS = 128


@serves("PostKnowledgeGraphs")
def post_knowledge_graphs(
    call: Call, request: service_pb2.PostKnowledgeGraphsRequest
) -> service_pb2.MultiKnowledgeGraphResponse:
    """Add graphs: all of them or, where one can't be added, none."""
    if not 1 <= len(request.knowledge_graphs) <= MAX_GRAPHS:
        raise ConceptsInvalidRequest(
            f"{len(request.knowledge_graphs)} knowledge graphs given; 1 to {MAX_GRAPHS} a call are legal"
        )
    given: dict[str, resources_pb2.KnowledgeGraph] = {}
    for graph in request.knowledge_graphs:
        made = resources_pb2.KnowledgeGraph()
        made.CopyFrom(graph)
        made.id = graph.id or new_id()
        made.name = graph.name or made.id
        if problem := resource_id_problem(made.id):
            raise ConceptsInvalidRequest(f"knowledge graph id: {problem}")
        if made.id in given:
            raise ConceptsInvalidRequest(f"duplicate knowledge graph id: {made.id!r} is given twice")
        given[made.id] = made
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        if taken := sorted(knowledge_graphs.existing(conn, app.pk, given)):
            raise ConceptsInvalidRequest(f"duplicate knowledge graph id: {', '.join(taken)}")
        rows = [{"id": i, "wire": without(graph, "id")} for i, graph in given.items()]
        knowledge_graphs.add(conn, app.pk, rows)
    return service_pb2.MultiKnowledgeGraphResponse(knowledge_graphs=given.values())


@serves("ListKnowledgeGraphs")
def list_knowledge_graphs(
    call: Call, request: service_pb2.ListKnowledgeGraphsRequest
) -> service_pb2.MultiKnowledgeGraphResponse:
    """All of an app's graphs, oldest first; the request knows no pages."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = knowledge_graphs.all_of(conn, app.pk)
    graphs = []
    for row in rows:
        graph = parse(resources_pb2.KnowledgeGraph, row.wire)
        graph.id = row.id
        graphs.append(graph)
    return service_pb2.MultiKnowledgeGraphResponse(knowledge_graphs=graphs)
