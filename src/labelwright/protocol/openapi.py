"""The API as an OpenAPI 3.1 document, made from the service's descriptors: what is served, and nothing by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from typing import Any

from clarifai_grpc.grpc.api.utils import extensions_pb2
from google.protobuf.descriptor import FieldDescriptor

import labelwright
from labelwright.protocol.dispatch import served
from labelwright.protocol.methods import Method, methods
from labelwright.protocol.rest import Binding, bindings

Schema = dict[str, Any]

FEW = 4
"""Operations below which a resource has no heading of its own."""
DEPTH = 3
"""Messages within messages whose fields are listed as parameters of a query: ``user_app_id.user_id`` is of depth 2."""

_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: (0, 2**64 - 1),
}

_WELL_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
    "google.protobuf.Struct": {"type": "object", "description": "Any JSON object."},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Value": {"description": "Any JSON value."},
    "google.protobuf.Any": {"type": "object"},
    "google.protobuf.BoolValue": {"type": "boolean"},
    "google.protobuf.StringValue": {"type": "string"},
    "google.protobuf.DoubleValue": {"type": "number"},
    "google.protobuf.FloatValue": {"type": "number"},
}


@cache
def document() -> Schema:
    """The whole document, as plain values for JSON."""
    schemas: dict[str, Schema] = {}
    paths: dict[str, Schema] = {}
    here = served()
    seen: dict[str, int] = {}
    reached = [b for b in bindings() if b.method in here and not b.hidden_by]
    families = Counter(_family(b) for b in reached)
    for binding in reached:
        seen[binding.method] = seen.get(binding.method, 0) + 1
        operation = _operation(methods()[binding.method], binding, seen[binding.method], schemas)
        operation["tags"] = [_family(binding) if families[_family(binding)] >= FEW else "others"]
        paths.setdefault(binding.template, {})[binding.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Labelwright",
            "version": labelwright.__version__,
            "description": (
                "A self-hosted auto-annotation server that speaks the Clarifai V2 API. Each operation is one RPC of "
                "`clarifai.api.V2`, and the same call may be made over gRPC at the same address. Every reply has a "
                "`status`; its `code` is 10000 when all went well."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name} for name in sorted({t for p in paths.values() for o in p.values() for t in o["tags"]})],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Key` and a personal access token or an app's key: `Authorization: Key 1234…`.",
                }
            },
            "schemas": dict(sorted(schemas.items())),
        },
    }


def _operation(method: Method, binding: Binding, number: int, schemas: dict[str, Schema]) -> Schema:
    request = method.request.DESCRIPTOR
    reply = _message(method.reply.DESCRIPTOR, schemas)
    media = "application/x-ndjson" if method.server_streams else "application/json"
    operation: Schema = {
        "operationId": method.name if number == 1 else f"{method.name}_{number}",
        "summary": method.name,
        "description": _description(method),
        "parameters": [
            *_path_parameters(request, binding, schemas),
            *_query_parameters(request, binding, schemas),
        ],
        "responses": {
            "200": {"description": "The reply.", "content": {media: {"schema": reply}}},
            "default": {
                "description": "What went wrong: `status` says it, with a `req_id` that the server's log has too.",
                "content": {"application/json": {"schema": reply}},
            },
        },
    }
    if binding.body:
        schema = (
            _message(request, schemas) if binding.body == "*" else _field(request.fields_by_name[binding.body], schemas)
        )
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    if not method.needs_key:
        operation["security"] = []
    return operation


def _family(binding: Binding) -> str:
    """The first resource that a path names below its user and app: ``inputs``."""
    words = [s for s in binding.segments[1:] if not s.startswith("{")]
    return next((w for w in words if w not in ("users", "apps")), words[0])


def _description(method: Method) -> str:
    if not method.needs_key:
        return "Needs no key."
    kind = "a personal access token" if method.personal else "a key"
    if not method.scopes:
        return f"Needs {kind}."
    return f"Needs {kind} with the scopes {', '.join(sorted(method.scopes))}."


def _path_parameters(request: Any, binding: Binding, schemas: dict[str, Schema]) -> Iterable[Schema]:
    for name in binding.variables:
        schema = _scalar(_leaf(request, name), schemas)
        if schema.get("type") == "string":
            schema["minLength"] = 1
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _leaf(message: Any, name: str) -> Any:
    *inside, last = name.split(".")
    for part in inside:
        message = message.fields_by_name[part].message_type
    return message.fields_by_name[last]


def _query_parameters(request: Any, binding: Binding, schemas: dict[str, Schema]) -> Iterable[Schema]:
    if binding.body == "*":
        return
    given = set(binding.variables)
    for name, field in _parameters(request, "", 1):
        if name in given or name.partition(".")[0] == binding.body:
            continue
        schema = _scalar(field, schemas)
        if field.is_repeated:
            yield {
                "name": name,
                "in": "query",
                "style": "form",
                "explode": True,
                "schema": {"type": "array", "items": schema},
            }
        else:
            yield {"name": name, "in": "query", "schema": schema}


def _parameters(message: Any, prefix: str, depth: int) -> Iterable[tuple[str, Any]]:
    for field in message.fields:
        name = f"{prefix}{field.name}"
        if field.message_type is None or field.message_type.full_name in _WELL_KNOWN:
            if field.message_type is None or _WELL_KNOWN[field.message_type.full_name].get("type") == "string":
                yield name, field
        elif depth < DEPTH and not field.is_repeated:
            yield from _parameters(field.message_type, f"{name}.", depth + 1)


def _message(message: Any, schemas: dict[str, Schema]) -> Schema:
    """A reference to a message's schema, which is made if it is not there yet."""
    name = message.full_name.removeprefix("clarifai.api.")
    if name not in schemas:
        made: Schema = {"type": "object"}
        # Before its fields: a message may hold itself.
        schemas[name] = made
        properties = {f.name: _field(f, schemas) for f in message.fields}
        if properties:
            made["properties"] = properties
    return {"$ref": f"#/components/schemas/{name}"}


def _field(field: Any, schemas: dict[str, Schema]) -> Schema:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _field(inner.fields_by_name["value"], schemas)}
    own = inner is not None and inner.full_name not in _WELL_KNOWN
    schema = _message(inner, schemas) if own else _scalar(field, schemas)
    return {"type": "array", "items": schema} if field.is_repeated else schema


def _scalar(field: Any, schemas: dict[str, Schema]) -> Schema:
    """The schema of one value that is no message of the API's own."""
    if field.message_type is not None:
        return dict(_WELL_KNOWN[field.message_type.full_name])
    if field.enum_type is not None:
        return _enum(field.enum_type, schemas)
    if field.type in _INTEGERS:
        low, high = _INTEGERS[field.type]
        return {"type": "integer", "minimum": low, "maximum": high}
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        schema: Schema = {"type": "number"}
        if default := field.GetOptions().Extensions[extensions_pb2.cl_default_float]:
            schema["default"] = default
        return schema
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"type": "boolean"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": "string"}


def _enum(enum: Any, schemas: dict[str, Schema]) -> Schema:
    """A reference to an enum's schema. Requests may name a value as well; replies have numbers."""
    name = enum.full_name.removeprefix("clarifai.api.")
    if name not in schemas:
        schemas[name] = {
            "type": "integer",
            "enum": sorted({v.number for v in enum.values}),
            "description": ", ".join(f"{v.number} {v.name}" for v in enum.values),
        }
    return {"$ref": f"#/components/schemas/{name}"}
