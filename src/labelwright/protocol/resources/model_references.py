"""References and example inputs of models. The API has no call that adds one, so no model here has any."""

from __future__ import annotations

from clarifai_grpc.grpc.api import service_pb2

from labelwright.errors import DoesNotExist
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.model_wire import find, find_version
from labelwright.protocol.wire import offset_limit


@serves("ListModelReferences")
def list_model_references(
    call: Call, request: service_pb2.ListModelReferencesRequest
) -> service_pb2.MultiModelReferenceResponse:
    """The links that a model's keeper gave: none, for a model that is there."""
    offset_limit(request)
    with call.store.read() as conn:
        find(conn, call, request.user_app_id, request.model_id)
    return service_pb2.MultiModelReferenceResponse()


@serves("ListModelVersionInputExamples")
def list_model_version_input_examples(
    call: Call, request: service_pb2.ListModelVersionInputExamplesRequest
) -> service_pb2.MultiModelVersionInputExampleResponse:
    """The examples of a version: none, for a version that is there."""
    offset_limit(request)
    with call.store.read() as conn:
        _, model = find(conn, call, request.user_app_id, request.model_id)
        find_version(conn, model, request.model_version_id)
    return service_pb2.MultiModelVersionInputExampleResponse()


@serves("GetModelVersionInputExample")
def get_model_version_input_example(
    call: Call, request: service_pb2.GetModelVersionInputExampleRequest
) -> service_pb2.SingleModelVersionInputExampleResponse:
    """One example of a version: never there, and the error says whether model and version are."""
    with call.store.read() as conn:
        _, model = find(conn, call, request.user_app_id, request.model_id)
        version = find_version(conn, model, request.model_version_id)
    raise DoesNotExist(f"version {version.id!r} of model {model.id!r} has no input example {request.example_id!r}")
