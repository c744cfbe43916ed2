"""How much there is in an app."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2

from labelwright.protocol.dispatch import Call, serves
from labelwright.store import resource_counts


@serves("GetResourceCounts")
def get_resource_counts(
    call: Call, request: service_pb2.GetResourceCountsRequest
) -> service_pb2.GetResourceCountsResponse:
    """The number of the app's models, workflows and inputs; kinds that are not served count 0."""
    with call.store.read() as conn:
        app = call.app(conn, request.user_app_id)
        counts = resource_counts.of_apps(conn, [app.pk])[app.pk]
    return service_pb2.GetResourceCountsResponse(**counts)
