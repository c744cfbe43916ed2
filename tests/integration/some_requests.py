"""Requests for every RPC, made from the messages' descriptors: good ones, and all kinds of bad ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from labelwright.protocol.methods import Method

ONE, NEW, KIN = "one", "new", "kin"
"""The id of every resource that is there, of those that a call is to make, and of a concept related to the one."""

APP = "vault"
"""The app's id, whoever owns it."""

Names = Mapping[str, str]
"""What the server called things: ``relation``, ``version`` (a model's), ``workflow_version``, ``key`` and so on."""

Path = tuple[FieldDescriptor, ...]


# --- good requests --------------------------------------------------------------------------------

WORDS: dict[str, Any] = {
    "action": "merge",
    "annotation_id": ONE,
    "concept_id": ONE,
    "example_id": ONE,
    "id": ONE,
    "input_id": ONE,
    "language": "de",
    "model_id": ONE,
    "model_type_id": "concept-threshold",
    "page": 1,
    "per_page": 10,
    "status_code": status_code_pb2.ANNOTATION_SUCCESS,
    "status_code_id": "10000",
    "workflow_id": ONE,
}
"""What a field of this name holds in a request that goes well. Fields of other names stay empty."""

GENERATED = {
    "collaborator_ids": "collaborator",
    "key_id": "key",
    "model_version_id": "version",
    "workflow_version_id": "workflow_version",
    "workflow_version_ids": "workflow_version",
}
"""Fields that hold what the server named itself."""


def good(method: Method, user: str, names: Names, app: str = APP) -> Any:
    """A request that goes well in the app of a user, where everything is called `ONE`."""
    name = method.name
    request: Any = method.request()
    for field in request.DESCRIPTOR.fields:
        if field.name == "user_app_id":
            request.user_app_id.user_id = user
            if not name.startswith(("PostApps", "ListApps", "ListKeys", "PatchApps", "ListCollaborations")):
                request.user_app_id.app_id = app
        elif field.name in GENERATED:
            _put(request, field, names[GENERATED[field.name]])
        elif field.name in ("version_id", "ids"):
            _put(request, field, _id_of(name, names))
        elif field.message_type is not None and field.is_repeated:
            getattr(request, field.name).append(_item(field, name, user, names))
        elif field.name in WORDS and not (name.startswith("List") and field.name in ("id", "language")):
            _put(request, field, WORDS[field.name])
    if "Tool" in name or "UseCase" in name or "Languages" in name and "Model" in name or "Consents" in name:
        request.action = "overwrite"
    for field, value in SPECIAL.get(name, {}).items():
        if field in ("apps", "app"):
            value = resources_pb2.App(id=NEW if name == "PostApps" else app, description="changed")
        held = request.DESCRIPTOR.fields_by_name[field]
        if held.message_type is not None and not held.is_repeated:
            getattr(request, field).CopyFrom(value)
        else:
            request.ClearField(field)
            if value is not None:
                _put(request, held, value)
    return request


SPECIAL: dict[str, dict[str, Any]] = {
    "DeleteInputs": {"ids": ONE},
    "PatchApp": {"app": None, "action": "overwrite"},
    "PatchApps": {"apps": None, "action": "overwrite"},
    "PatchAppsDetails": {"apps": None, "action": "overwrite"},
    "PostApps": {"apps": None},
    "PatchCollaborators": {"action": "overwrite"},
    "PatchKeys": {"action": "overwrite"},
    "PatchConceptLanguages": {"action": "overwrite"},
    "PatchWorkflowVersions": {"action": "merge"},
    "PatchConcepts": {"action": "overwrite"},
    "ListModels": {"model_type_id": None},
    "PatchAnnotationsStatus": {"action": "overwrite"},
    "PostAppsSearches": {},
}
"""What single RPCs need besides: None for the app, or to leave a field empty."""


def _id_of(rpc: str, names: Names) -> Any:
    if rpc in ("PatchAppsIds", "PatchModelIds", "PatchWorkflowIds"):
        return resources_pb2.PatchAppId if rpc == "PatchAppsIds" else ONE
    if "Relations" in rpc:
        return names["relation"]
    if rpc == "PostWorkflowResults":
        return names["workflow_version"]
    if "Model" in rpc and rpc != "DeleteModels":
        return names["version"]
    return ONE


def _put(message: Any, field: FieldDescriptor, value: Any) -> None:
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
