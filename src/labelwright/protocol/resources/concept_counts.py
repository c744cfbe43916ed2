"""How many inputs are labelled with each concept."""

from __future__ import annotations

from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.wire import offset_limit
from labelwright.store import concept_counts, concepts
from labelwright.store.tables import DONE, IN_PROGRESS, PENDING

_PLACE = {DONE: "processed", PENDING: "to_process", IN_PROGRESS: "processing"}
"""An input's status to its place in the details; every other status is an error."""


@serves("GetConceptCounts")
def get_concept_counts(
    call: Call, request: service_pb2.GetConceptCountsRequest
) -> service_pb2.MultiConceptCountResponse:
    """The app's concepts, oldest first, with the number of inputs that show them and that do not."""
    offset, limit = offset_limit(request)
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        rows = concepts.page(conn, app.pk, offset=offset, limit=limit)
        counted = concept_counts.of_concepts(conn, [row.pk for row in rows])
    made = {row.pk: _empty(row.id, row.name) for row in rows}
    for row in counted:
        count = made[row.concept]
        sign = "positive" if row.present else "negative"
        detail = getattr(count.detail_concept_count, _PLACE.get(row.status_code, "errors"))
        # An input has one status, so that the details add up to the whole.
        for target in (count.concept_type_count, detail):
            setattr(target, sign, getattr(target, sign) + row.n)
    return service_pb2.MultiConceptCountResponse(concept_counts=made.values())


def _empty(concept_id: str, name: str) -> resources_pb2.ConceptCount:
    count = resources_pb2.ConceptCount(id=concept_id, name=name)
    count.concept_type_count.SetInParent()
    for place in (*_PLACE.values(), "errors"):
        getattr(count.detail_concept_count, place).SetInParent()
    return count
