"""What a model is filed under: toolkits, use cases, languages, consents. Each is replaced as a whole."""

from __future__ import annotations

from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2

from labelwright.errors import InvalidRequest, ModelDoesNotExist, ModelInvalidRequest
from labelwright.ids import free_id_problem
from labelwright.protocol.dispatch import Call, serves
from labelwright.protocol.resources.model_wire import model_bytes
from labelwright.protocol.wire import parse
from labelwright.store import models

MAX_TAGS = 128


@serves("PatchModelToolkits")
def patch_model_toolkits(
    call: Call, request: service_pb2.PatchModelToolkitsRequest
) -> service_pb2.MultiModelToolkitResponse:
    """Replace a model's toolkits; an empty list takes all away."""
    return service_pb2.MultiModelToolkitResponse(toolkits=_replace(call, request, "toolkits", request.toolkits))


@serves("PatchModelUseCases")
def patch_model_use_cases(
    call: Call, request: service_pb2.PatchModelUseCasesRequest
) -> service_pb2.MultiModelUseCaseResponse:
    """Replace a model's use cases; an empty list takes all away."""
    return service_pb2.MultiModelUseCaseResponse(usecases=_replace(call, request, "use_cases", request.usecases))


@serves("PatchModelLanguages")
def patch_model_languages(
    call: Call, request: service_pb2.PatchModelLanguagesRequest
) -> service_pb2.MultiModelLanguageResponse:
    """Replace a model's languages; an empty list takes all away."""
    return service_pb2.MultiModelLanguageResponse(languages=_replace(call, request, "languages", request.languages))


@serves("PatchModelCheckConsents")
def patch_model_check_consents(
    call: Call, request: service_pb2.PatchModelCheckConsentsRequest
) -> service_pb2.MultiModelCheckConsentResponse:
    """Replace a model's consents; an empty list takes all away."""
    kept = _replace(call, request, "check_consents", request.check_consents)
    return service_pb2.MultiModelCheckConsentResponse(check_consents=kept)


def _replace(call: Call, request: Any, field: str, given: Any) -> list[str]:
    """Put tags in the place of a model's present ones; each is kept once, in the order given."""
    if request.action != "overwrite":
        raise InvalidRequest(f"action is {request.action!r}; 'overwrite' is legal")
    tags: list[str] = list(dict.fromkeys(given))
    if len(tags) > MAX_TAGS:
        raise ModelInvalidRequest(f"{len(tags)} {field} given; {MAX_TAGS} at most are legal")
    for tag in tags:
        if problem := free_id_problem(tag):
            raise ModelInvalidRequest(f"{field}: {problem}")
    with call.store.write() as conn:
        app = call.app(conn, request.user_app_id, change=True)
        row = models.get(conn, app.pk, request.model_id)
        if row is None:
            raise ModelDoesNotExist(f"app {app.id!r} has no model {request.model_id!r}")
        model = parse(resources_pb2.Model, row.wire)
        del getattr(model, field)[:]
        getattr(model, field).extend(tags)
        models.change(conn, row.pk, wire=model_bytes(model))
    return tags
