"""The concepts of a model: those that its version names, and the inputs that are labelled with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator.plans import output_info
from labelwright.errors import InvalidRequest
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.resources import concepts as concept_handlers
from labelwright.protocol.resources import input_messages
from labelwright.protocol.resources.model_wire import find, find_version
from labelwright.protocol.text_filters import BATCH, sliced
from labelwright.protocol.wire import offset_limit
from labelwright.store import concept_counts, concepts, models


def of_version(conn: Connection, app: Row[Any], version: Row[Any]) -> Iterator[resources_pb2.Concept]:
    """The concepts that a version names, as clients see them, with the values that they have there.

    Args:
        app: the app of the model; a concept that it doesn't have is shown as the version has it.
    """
    named = output_info(version.wire).data.concepts
    for start in range(0, len(named), BATCH):
        some = named[start : start + BATCH]
        rows = concepts.by_ids(conn, app.pk, [c.id for c in some])
        for concept in some:
            if concept.id in rows:
                yield concept_handlers.to_wire(rows[concept.id], app, concept.value)
            else:
                yield resources_pb2.Concept(
                    id=concept.id,
                    name=concept.name or concept.id,
                    value=concept.value,
                    app_id=app.id,
                    user_id=app.user_id,
                    language=concept_handlers.language_of(app),
                )


@serves("ListModelConcepts")
def list_model_concepts(call: Call, request: service_pb2.ListModelConceptsRequest) -> service_pb2.MultiConceptResponse:
    """The concepts of the version named, else of the newest; ``search``: those with it in their id or name."""
    offset, limit = offset_limit(request)
    words = request.search.casefold().split()

    def wanted(concept: resources_pb2.Concept) -> bool:
        text = f"{concept.id} {concept.name}".casefold()
        return all(word in text for word in words)

    with call.store.read() as conn:
        app, version = _version(conn, call, request)
        found = of_version(conn, app, version) if version is not None else iter(())
        page = sliced(filter(wanted, found), offset, limit)
    return service_pb2.MultiConceptResponse(concepts=page)


@serves("ListModelInputs")
def list_model_inputs(call: Call, request: service_pb2.ListModelInputsRequest) -> service_pb2.MultiInputResponse:
    """The app's inputs that are labelled with a concept of the version, newest first: what it can learn from."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        _, version = _version(conn, call, request)
        ids = {c.id for c in output_info(version.wire).data.concepts} if version is not None else set()
        if len(ids) > concept_counts.MAX_CONCEPTS:
            raise InvalidRequest(
                f"the version has {len(ids)} concepts; inputs are listed by {concept_counts.MAX_CONCEPTS} at most"
            )
        keys = concepts.keys(conn, app.pk, ids)
        rows = concept_counts.inputs_page(conn, app.pk, list(keys.values()), offset=offset, limit=limit)
        said = input_messages.said_of(conn, app, rows)
    return service_pb2.MultiInputResponse(inputs=input_messages.all_to_wire(rows, said, Hosting(call)))


def _version(conn: Connection, call: Call, request: Any) -> tuple[Row[Any], Row[Any] | None]:
    """The app of the model that a request names, and the version; None for a model without any."""
    app, model = find(conn, call, request.user_app_id, request.model_id)
    if request.version_id:
        return app, find_version(conn, model, request.version_id)
    return app, models.version(conn, model.pk)
