"""A command line for an operation, to copy and to fill in."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from labelwright.protocol.openapi_schemas import Schema

_KNOWN = {"user_id": "me", "app_id": "my-app"}
_ACTION = "merge"


def curl(verb: str, path: str, operation: Schema, schemas: Mapping[str, Schema], base: str) -> str:
    """A curl command: ``base`` and a path with names in capitals for what is to be filled in, and a short body."""
    inside = []
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            name = parameter["name"]
            inside.append(name)
            path = path.replace(f"{{{name}}}", _KNOWN.get(name, name.upper()))
    head = ["curl"]
    body = _body(operation, schemas, inside)
    if verb not in ("get", "post") or (verb == "post" and body is None):
        head.append(f"-X {verb.upper()}")
    if operation["security"]:
        head.append('-H "Authorization: Key $LABELWRIGHT_PAT"')
    # What comes from the document has no character that a shell looks at, and the base is not the document's.
    lines = [" ".join(head), f"{base}{path}"]
    if body is not None:
        lines.append(f"-d {shlex.quote(json.dumps(body))}")
    return " \\\n  ".join(lines)


def _body(operation: Schema, schemas: Mapping[str, Schema], inside: list[str]) -> Any:
    if "requestBody" not in operation:
        return None
    fields = _resolved(operation["requestBody"]["content"]["application/json"]["schema"], schemas)["properties"]
    made: dict[str, Any] = {}
    for name, schema in fields.items():
        if name in inside or name == "user_app_id":
            continue
        if name == "action":
            made[name] = _ACTION
        elif schema.get("type") == "array":
            item = _resolved(schema["items"], schemas)
            if item.get("type") == "object":
                made[name] = [{"id": "ID"} if "id" in item.get("properties", {}) else {}]
            elif name == "ids" or name.endswith("_ids"):
                made[name] = ["ID"]
    return made


def _resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
