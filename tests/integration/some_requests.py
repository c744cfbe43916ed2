"""Requests for every RPC, made from the messages' descriptors: good ones, and all kinds of bad ones."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2 as r
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from labelwright.models.catalogue import RECOGNITION
from labelwright.protocol.methods import Method

APP, OTHER_APP = "vault", "annex"
"""The apps that each user has: one full of things, and one with nothing in it."""

ONE, NEW, KIN = "one", "new", "kin"
"""The id of every resource that is there, of those that a call is to make, and of a concept related to the one."""

Names = Mapping[str, str]
"""What the server named itself, by the singular of what it is: ``relation``, ``model_version``, ``key`` …"""

Way = tuple[FieldDescriptor, ...]
"""The way to a field, through messages in messages."""


# --- good requests --------------------------------------------------------------------------------


def good(method: Method, user: str, names: Names, app: str = APP) -> Any:
    """A request that goes well in the app of a user, where everything is called `ONE`."""
    request: Any = method.request()
    values = _values(method.name, user, app, names)
    for field in request.DESCRIPTOR.fields:
        if field.name == "user_app_id":
            request.user_app_id.user_id = user
            request.user_app_id.app_id = "" if method.name in OF_THE_USER else app
        elif field.name in values:
            value = values[field.name]
            put(request, field, value if value is not None else _item(field, method.name, user, app, names))
    return request


OF_THE_USER = {
    *("DeleteKey", "GetKey", "GetUser", "ListApps", "ListCollaborations", "ListKeys", "ListScopes", "MyScopesUser"),
    *("PatchApps", "PatchAppsDetails", "PatchAppsIds", "PatchKeys", "PostApps", "PostAppsSearches", "PostKeys"),
}
"""RPCs that are about a user's apps or keys and not about what is in an app."""

ITEMS = dict.fromkeys(
    (
        *("annotations", "app", "apps", "collaborators", "concept_languages", "concept_relations", "concepts"),
        *("inputs", "keys", "knowledge_graphs", "models", "model_versions", "workflows", "workflow_versions"),
        "eval_metrics",
    )
)
_OVERWRITE = (
    *("App", "Apps", "AppsDetails", "Collaborators", "Consents", "Ids", "Keys", "Languages", "PatchConcepts"),
    *("Status", "Toolkits", "UseCases"),
)
"""How RPCs end whose action is not "merge"."""


def _values(rpc: str, user: str, app: str, names: Names) -> dict[str, Any]:
    """What the fields hold, by their names; None for an item. Fields of other names stay empty."""
    values: dict[str, Any] = {
        **ITEMS,
        "action": "overwrite" if rpc.endswith(_OVERWRITE) else "merge",
        "annotation_id": ONE,
        "check_consents": "checked",
        "collaborator_ids": names["collaborator"],
        "concept_id": ONE,
        "evaluation_id": ONE,
        "example_id": "1",
        "ids": None if rpc.startswith("Patch") else names["relation"] if "Relations" in rpc else ONE,
        "input_id": ONE,
        "key_id": names["key"],
        "language": "en",
        "languages": "en",
        "log_type": "training",
        "model_id": ONE,
        "model_type_id": "concept-threshold",
        "model_version_id": names["model_version"],
        "page": 1,
        "per_page": 10,
        "status_code": status_code_pb2.ANNOTATION_SUCCESS,
        "status_code_id": "10000",
        "toolkits": "scissors",
        "usecases": "cutting",
        "user_ids": user,
        "version_id": names["workflow_version" if "Workflow" in rpc else "model_version"],
        "workflow_id": ONE,
        "workflow_version_id": names["workflow_version"],
        "workflow_version_ids": names["old_workflow_version"],
    }
    if rpc in ("CancelInputsAddJob", "GetInputsAddJob"):
        values["id"] = names["job"]
    if "Evaluation" in rpc or "VersionMetrics" in rpc:
        # The thresholds that the apps have are nothing that can be measured.
        values |= {"model_id": RECOGNITION.id}
        values |= dict.fromkeys(("model_version_id", "version_id"), RECOGNITION.version_id)
    if rpc == "DeleteModelVersion":
        values["version_id"] = names["old_model_version"]
    if rpc == "DeleteAnnotations":
        values["input_ids"] = ONE
    if rpc.startswith("List"):
        # What narrows a listing down: all of it would find nothing.
        for name in ("ids", "language", "languages", "toolkits", "user_ids"):
            del values[name]
    return values


def threshold(**fields: Any) -> r.Model:
    """A model that runs nothing large."""
    info = r.OutputInfo(data=r.Data(concepts=[r.Concept(id=ONE, value=0.5)]))
    info.params.update({"concept_threshold_type": 1})
    return r.Model(model_type_id="concept-threshold", output_info=info, **fields)


def evaluation(id: str) -> r.EvalMetrics:
    """What asks for an evaluation of a model that every app can use."""
    version = r.ModelVersion(id=RECOGNITION.version_id)
    return r.EvalMetrics(id=id, model=r.Model(id=RECOGNITION.id, model_version=version))


def graph(id: str, above: float = 0.0, **model: Any) -> r.Workflow:
    """A workflow: what is in an image, as far as the model `ONE` lets it pass."""
    seen = r.WorkflowNode(id="seen", model=r.Model(id="general-image-recognition", user_id="clarifai", app_id="main"))
    node = r.WorkflowNode(id="node", model=r.Model(id=ONE, **model), node_inputs=[r.NodeInput(node_id="seen")])
    if above:
        node.output_info_override.data.concepts.add(id=ONE, value=above)
        node.output_info_override.params.update({"concept_threshold_type": 1})
    return r.Workflow(id=id, nodes=[seen, node])


def _item(field: FieldDescriptor, rpc: str, user: str, app: str, names: Names) -> Any:
    post = rpc.startswith("Post")
    named = NEW if post else ONE
    made: dict[str, Any] = {
        "Annotation": r.Annotation(id=named, input_id=ONE, data=r.Data(concepts=[r.Concept(id=ONE, value=1)])),
        "App": r.App(id=named if post else app, description="changed"),
        "Collaborator": r.Collaborator(
            id="" if post else names["collaborator"],
            scopes=["Apps_Get"],
            user=r.User(id=names["stranger" if post else "guest"]),
        ),
        "Concept": r.Concept(id=named, name="changed"),
        "ConceptLanguage": r.ConceptLanguage(id="fr" if post else "en", name="changed"),
        "ConceptRelation": r.ConceptRelation(
            subject_concept=r.Concept(id=ONE), object_concept=r.Concept(id=KIN), predicate="hyponym"
        ),
        "EvalMetrics": evaluation(named),
        "IdUpdateSource": service_pb2.IdUpdateSource(id=app if rpc == "PatchAppsIds" else ONE, new_id=NEW),
        "Input": r.Input(id=named, data=r.Data(text=r.Text(raw="words"), concepts=[r.Concept(id=ONE, value=1)])),
        "Key": r.Key(
            id="" if post else names["key"], type="personal_access_token" if post else "", scopes=["Concepts_Get"]
        ),
        "KnowledgeGraph": r.KnowledgeGraph(id=named),
        "Model": threshold(id=named) if post else r.Model(id=named, name="changed"),
        "ModelVersion": r.ModelVersion(description="changed", output_info=threshold().output_info if post else None),
        "Workflow": graph(named, 0.6, user_id=user, app_id=app),
        "WorkflowVersion": r.WorkflowVersion(id=names["workflow_version"], description="changed"),
    }
    if rpc == "PatchInputs":
        made["Input"].data.ClearField("text")
    if rpc == "PatchModelVersions":
        made["ModelVersion"].id = names["model_version"]
    if rpc == "PatchWorkflowVersions":
        made["WorkflowVersion"].metadata.update({"changed": True})
    return made[str(field.message_type and field.message_type.name)]


def put(message: Any, field: FieldDescriptor, value: Any) -> None:
    """Set a field, or add to it where it repeats."""
    if field.is_repeated:
        getattr(message, field.name).append(value)
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)


# --- bad values -----------------------------------------------------------------------------------

TEXTS = (
    "nosuch",
    "\0",
    "a\0b",
    "x" * 300,
    "y" * 60_000,
    "ü/é%2F\u202e🙂\u2028",
    "../../etc/passwd",
    "'; DROP TABLE apps; --",
    " one ",
    "one\n",
    "%",
    "*",
    "[a-",
    "\\",
    "me",
    "-1",
    "9" * 400,
    "NaN",
    # Refused before anybody is asked: private addresses are not fetched.
    "http://127.0.0.1:9/x",
    "\x7f\x9b",
    "\U0010ffff",
    "",
)
BYTES = (b"\0\xff\xfe", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"x" * 5000, b"RIFF\xff\xff\xff\xffWAVE")
FLOATS = (math.nan, math.inf, -math.inf, -1.0, 3.4e38, -0.0, 1e-45, 1.0000001)
_INTEGERS = (1001, 0, -1, 7, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1)
_BOUNDS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}


def bad_values(field: FieldDescriptor) -> tuple[Any, ...]:
    """Values of the field's type that are most likely wrong."""
    kind = field.cpp_type
    if kind in _BOUNDS:
        low, high = _BOUNDS[kind]
        return tuple(n for n in _INTEGERS if low <= n <= high)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        return BYTES if field.type == FieldDescriptor.TYPE_BYTES else TEXTS
    return (True, False) if kind == FieldDescriptor.CPPTYPE_BOOL else FLOATS


@cache
def leaves(descriptor: Descriptor) -> tuple[Way, ...]:
    """The ways to all fields that hold no message, through each type of message once (through Data twice)."""
    return tuple(_leaves(descriptor, ()))


def _leaves(descriptor: Descriptor, above: Way) -> Iterator[Way]:
    if len(above) > 7:
        return
    for field in descriptor.fields:
        inner, way = field.message_type, (*above, field)
        if inner is None:
            yield way
        elif is_map(field):
            continue
        elif sum(f.message_type is inner for f in above) < (2 if inner.name == "Data" else 1):
            yield from _leaves(inner, way)


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map, whose entries have no message of their own."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def reached(message: Any, path: Way) -> Any:
    """The message in which a path's last field lies; made where it is missing."""
    for field in path[:-1]:
        inner = getattr(message, field.name)
        if field.is_repeated:
            inner = inner[0] if inner else inner.add()
        else:
            inner.SetInParent()
        message = inner
    return message


def mutants(base: Message, dice: random.Random, most: int) -> Iterator[Any]:
    """Copies of a request with one field made wrong, ``most`` of them: half with one of the request or its items."""
    ways = leaves(base.DESCRIPTOR)
    near = [way for way in ways if len(way) <= 2]
    far = [way for way in ways if len(way) > 2]
    tried = [(way, value) for way in near for value in bad_values(way[-1])]
    tried = dice.sample(tried, min(most // 2, len(tried)))
    tried += [(way, dice.choice(bad_values(way[-1]))) for way in dice.sample(far, min(most - len(tried), len(far)))]
    for way, value in tried:
        made = type(base)()
        made.CopyFrom(base)
        holder, last = reached(made, way), way[-1]
        if last.is_repeated:
            del getattr(holder, last.name)[:]
        put(holder, last, value)
        yield made


def flood(message: Any, dice: random.Random, depth: int = 4) -> Any:
    """Fill every field of a message, and of those in it, with something wrong."""
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is not None and dice.random() < 0.5:
            continue
        if field.message_type is None:
            put(message, field, dice.choice(bad_values(field)))
        elif depth and not is_map(field):
            inner = getattr(message, field.name)
            if field.is_repeated:
                flood(inner.add(), dice, depth - 1)
            else:
                inner.SetInParent()
                flood(inner, dice, depth - 1)
    return message


def crowds(base: Any, count: int) -> Iterator[Any]:
    """Copies of a request with many items in one of its lists: all alike, and each with an id of its own."""
    for field in base.DESCRIPTOR.fields:
        if not field.is_repeated or is_map(field):
            continue
        items = list(getattr(base, field.name))
        for alike in (True, False):
            made = type(base)()
            made.CopyFrom(base)
            target = getattr(made, field.name)
            del target[:]
            for i in range(count):
                if field.message_type is not None:
                    item = target.add()
                    if items:
                        item.CopyFrom(items[0])
                    if not alike and "id" in item.DESCRIPTOR.fields_by_name:
                        item.id = f"{item.id}{i}"
                elif field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
                    word = items[0] if items else ONE
                    target.append(word if alike else f"{word}{i}")
                else:
                    target.append(i)
            yield made


def deep(base: Message, levels: int) -> Iterator[Any]:
    """Copies of a request with Data in Data, or lists in lists, so many levels deep."""
    seen: set[tuple[str, str]] = set()
    for way in leaves(base.DESCRIPTOR):
        for at, field in enumerate(way):
            kind = field.message_type
            if kind is None or kind.name not in ("Data", "Struct", "Value") or (str(way[:at]), kind.name) in seen:
                continue
            seen.add((str(way[:at]), kind.name))
            made = type(base)()
            made.CopyFrom(base)
            _dig(reached(made, (*way[: at + 1], kind.fields[0])), kind.name, levels)
            yield made
            break


def _dig(message: Any, kind: str, levels: int) -> None:
    for _ in range(levels):
        if kind == "Data":
            message = (message.regions if levels % 2 else message.frames).add().data
        elif kind == "Struct":
            message = message.fields["deeper"].struct_value
        else:
            message = message.list_value.values.add()


def referring(base: Any, user: str, app: str) -> Any:
    """A copy of a request in which whatever may name a user or an app besides the request itself names these."""
    made = type(base)()
    made.CopyFrom(base)
    return made if _refer(made, user, app) else None


def _refer(message: Any, user: str, app: str) -> bool:
    found = False
    for field, value in message.ListFields():
        if field.name == "user_app_id" or field.message_type is None or is_map(field):
            continue
        for item in value if field.is_repeated else [value]:
            names = item.DESCRIPTOR.fields_by_name
            for name, said in (("user_id", user), ("app_id", app)):
                if name in names and names[name].cpp_type == FieldDescriptor.CPPTYPE_STRING:
                    setattr(item, name, said)
                    found = True
            found |= _refer(item, user, app)
    return found
