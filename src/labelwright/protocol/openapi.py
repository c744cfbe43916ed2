"""The API as an OpenAPI 3.1 document, made from the service's descriptors: what is served, and nothing by hand."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

import labelwright
from labelwright.protocol.dispatch import served
from labelwright.protocol.families import family, in_order
from labelwright.protocol.methods import Method, methods
from labelwright.protocol.openapi_schemas import PLAIN, Schema, Schemas
from labelwright.protocol.rest import Binding, bindings
from labelwright.protocol.rest.printing import is_map
from labelwright.protocol.rest.wrapped import WRAPPERS

DEPTH = 3
"""Messages within messages whose fields are listed as parameters of a query: ``user_app_id.user_id`` is of depth 2."""

_ASKED_OF = {"clarifai.api.status.Status": ("code",)}
"""Messages of which a query lists some fields only: nobody looks for a status by its request id."""

_DESCRIPTION = """\
A self-hosted auto-annotation server that speaks the Clarifai V2 API. Each operation is one RPC of `clarifai.api.V2`; \
the same call can be made over gRPC at the same address.

Every reply has a `status`: its `code` is 10000 when all went well, 10010 when some of the items did, and its `req_id` \
is in the server's log too. The user `me` is the key's own.

A path with a user and an app has a short form as well, in which `user_app_id` of the body or the query names them. \
Names may be written in camelCase, enums by name or number; names that are not known are passed over."""

_SCHEMES = {
    "token": "A personal access token: `Authorization: Key 1234…`.",
    "key": "A key of one app: `Authorization: Key 1234…`. It sees that app alone.",
}


@cache
def document() -> Schema:
    """The whole document, as plain values for JSON."""
    here = served()
    reached = [b for b in bindings() if b.method in here and not b.hidden_by]
    schemas = Schemas(methods()[b.method].reply.DESCRIPTOR for b in reached)
    paths: dict[str, Schema] = {}
    seen: dict[str, int] = {}
    for binding in reached:
        seen[binding.method] = seen.get(binding.method, 0) + 1
        operation = _operation(methods()[binding.method], binding, seen[binding.method], schemas)
        paths.setdefault(path(binding), {})[binding.verb.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Labelwright",
            "version": labelwright.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in in_order({family(name) for name in seen})],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                name: {"type": "apiKey", "in": "header", "name": "Authorization", "description": text}
                for name, text in _SCHEMES.items()
            },
            "schemas": dict(sorted(schemas.made.items())),
        },
    }


def path(binding: Binding) -> str:
    """A binding's path with its variables named in short: ``/v2/users/{user_id}/apps/{app_id}/inputs``.

    Many programs that read such documents stumble over the dots of ``{user_app_id.user_id}``.
    """
    template = binding.template
    for variable, name in _names(binding).items():
        template = template.replace(f"{{{variable}}}", f"{{{name}}}")
    return template


def _names(binding: Binding) -> dict[str, str]:
    """Each variable of a path to its name in the document: its last part, where that is one variable's alone."""
    last = [v.rpartition(".")[2] for v in binding.variables]
    return {
        variable: short if last.count(short) == 1 else variable.replace(".", "_")
        for variable, short in zip(binding.variables, last, strict=True)
    }


def _operation(method: Method, binding: Binding, number: int, schemas: Schemas) -> Schema:
    request: Any = method.request.DESCRIPTOR
    media = "application/x-ndjson" if method.server_streams else "application/json"
    content = {media: {"schema": _reply(method, schemas)}}
    operation: Schema = {
        "operationId": method.name if number == 1 else f"{method.name}_{number}",
        "summary": method.name,
        "description": _description(method),
        "tags": [family(method.name)],
        "parameters": [*_path_parameters(request, binding, schemas), *_query_parameters(request, binding, schemas)],
        "responses": {
            "200": {"description": "One reply a line, as they come." if method.server_streams else "The reply."}
            | {"content": content},
            "default": {"description": "What went wrong: `status` says it.", "content": content},
        },
        "security": _security(method),
    }
    if binding.body:
        schema = (
            schemas.message(request, given=True)
            if binding.body == "*"
            else schemas.field(request.fields_by_name[binding.body], given=True)
        )
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return operation


def _reply(method: Method, schemas: Schemas) -> Schema:
    """A reference to the reply's schema. Its status is always there."""
    reference = schemas.message(method.reply.DESCRIPTOR, given=False)
    schema = schemas.made[reference["$ref"].rpartition("/")[2]]
    if "status" not in schema.get("required", ()):
        schema["required"] = ["status", *schema.get("required", ())]
    return reference


def _description(method: Method) -> str:
    if not method.needs_key:
        return "Needs no key."
    kind = "Needs a personal access token" if method.personal else "Needs a key"
    if not method.scopes:
        return f"{kind}, of whatever scopes."
    scopes = sorted(method.scopes)
    return f"{kind} with the scope{'s' if len(scopes) > 1 else ''} {', '.join(f'`{s}`' for s in scopes)}."


def _security(method: Method) -> list[Schema]:
    schemes = ("token",) if method.personal else ("token", "key")
    return [{scheme: sorted(method.scopes)} for scheme in schemes] if method.needs_key else []


def _path_parameters(request: Descriptor, binding: Binding, schemas: Schemas) -> Iterable[Schema]:
    for variable, name in _names(binding).items():
        schema = schemas.value(_leaf(request, variable), given=True)
        if schema.get("type") == "string":
            schema["minLength"] = 1
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _leaf(message: Any, name: str) -> FieldDescriptor:
    *inside, last = name.split(".")
    for part in inside:
        message = message.fields_by_name[part].message_type
    field: FieldDescriptor = message.fields_by_name[last]
    return field


def _query_parameters(request: Descriptor, binding: Binding, schemas: Schemas) -> Iterable[Schema]:
    """What may stand in the query: all that the path does not say, where there is no body, or one field is the body."""
    if binding.body == "*":
        return
    for name, field, listed in _parameters(request, "", 1):
        if name in binding.variables or name.partition(".")[0] == binding.body:
            continue
        schema = schemas.value(field, given=True)
        if listed:
            array = {"type": "array", "items": schema}
            yield {"name": name, "in": "query", "style": "form", "explode": True, "schema": array}
        else:
            yield {"name": name, "in": "query", "schema": schema}


def _parameters(message: Descriptor, prefix: str, depth: int) -> Iterable[tuple[str, FieldDescriptor, bool]]:
    """Name and field of each value that a query can give, and whether it is a list's."""
    for field in message.fields:
        name, inner = f"{prefix}{field.name}", field.message_type
        if inner is None:
            yield name, field, field.is_repeated
        elif inner.full_name in WRAPPERS or inner.full_name in PLAIN:
            if not field.is_repeated and PLAIN.get(inner.full_name, {"type": "string"}).get("type") == "string":
                yield name, field, False
        elif depth < DEPTH and not is_map(field):
            asked = _ASKED_OF.get(inner.full_name)
            for below in _parameters(inner, f"{name}.", depth + 1):
                # Of a list of messages one field each can be given, and nothing deeper.
                deep = below[2] or "." in below[0].removeprefix(f"{name}.")
                if (asked is None or below[1].name in asked) and not (field.is_repeated and deep):
                    yield below[0], below[1], field.is_repeated or below[2]
