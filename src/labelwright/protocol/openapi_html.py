"""The API's document as a page for people: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from labelwright.protocol.openapi_sample import curl
from labelwright.protocol.openapi_schemas import GIVEN, Schema

_REF = "#/components/schemas/"
_SUGGESTED = "http://127.0.0.1:8080"
"""What a command line begins with until the script knows better."""

_FORMATS = {"date-time": "time", "byte": "bytes in base64"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the Content-Security-Policy under which it works: its own style and script, and nothing else."""

    html: str
    policy: str


@dataclass(slots=True)
class _Rpc:
    """One RPC, with all its paths."""

    name: str
    operation: Schema
    """That of its main path."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Verbs and paths, the main one first."""


def render(document: Schema) -> Page:
    """The page of a document as `openapi.document` makes it. Every text of the document is escaped."""
    css, js = _resource("openapi.css"), _resource("openapi.js")
    families = _families(document)
    schemas = document["components"]["schemas"]
    body = "".join(_family(name, rpcs, schemas) for name, rpcs in families.items())
    types = _types(schemas, families)
    count = sum(map(len, families.values()))
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Labelwright API</title>
<style>{css}</style>
</head>
<body>
<a class="skip" href="#operations">Skip to the operations</a>
<header class="top">
<p class="eyebrow">Labelwright {escape(document["info"]["version"])}</p>
<h1>The API</h1>
<div class="lead">{_prose(document["info"]["description"])}</div>
<p class="facts"><span><b>{count}</b> RPCs</span><span><b>{_paths(families)}</b> paths</span>\
<span><b>{len(families)}</b> families</span><a href="/openapi.json">openapi.json</a></p>
</header>
<div class="columns">
<nav aria-label="Families">
<div class="find"><label for="filter">Filter</label><kbd>/</kbd>
<input id="filter" type="search" placeholder="name, path or scope" autocomplete="off" spellcheck="false"></div>
<p id="found" role="status"></p>
<ul>{"".join(_entry(name, len(rpcs)) for name, rpcs in families.items())}
<li><a href="#types">types <span class="count">{types.count("<details")}</span></a></li></ul>
</nav>
<main id="operations">
{body}
<section class="family" id="types">
<h2>types <span class="count">{types.count("<details")}</span></h2>
{types}
</section>
<p id="nothing" hidden>Nothing fits.</p>
</main>
</div>
<script>{js}</script>
</body>
</html>
"""
    policy = (
        f"default-src 'none'; style-src '{_hash(css)}'; script-src '{_hash(js)}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy)


def _resource(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _families(document: Schema) -> dict[str, list[_Rpc]]:
    rpcs: dict[str, _Rpc] = {}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            name = operation["summary"]
            rpc = rpcs.setdefault(name, _Rpc(name, operation))
            if operation["operationId"] == name:
                rpc.operation = operation
                rpc.calls.insert(0, (verb, path))
            else:
                rpc.calls.append((verb, path))
    families: dict[str, list[_Rpc]] = {tag["name"]: [] for tag in document["tags"]}
    for rpc in sorted(rpcs.values(), key=lambda r: (r.calls[0][1], r.calls[0][0])):
        families[rpc.operation["tags"][0]].append(rpc)
    return families


def _paths(families: Mapping[str, list[_Rpc]]) -> int:
    return sum(len(rpc.calls) for rpcs in families.values() for rpc in rpcs)


def _entry(name: str, count: int) -> str:
    return f'<li><a href="#family-{escape(name)}">{escape(name)} <span class="count">{count}</span></a></li>'


def _family(name: str, rpcs: Iterable[_Rpc], schemas: Mapping[str, Schema]) -> str:
    shown = [_rpc(rpc, schemas) for rpc in rpcs]
    return f"""<section class="family" id="family-{escape(name)}">
<h2>{escape(name)} <span class="count">{len(shown)}</span></h2>
{"".join(shown)}</section>
"""


def _rpc(rpc: _Rpc, schemas: Mapping[str, Schema]) -> str:
    operation = rpc.operation
    verb, path = rpc.calls[0]
    scopes = sorted({s for each in operation["security"] for needed in each.values() for s in needed})
    words = " ".join([rpc.name, *(p for _, p in rpc.calls), *scopes]).lower()
    name = escape(rpc.name)
    parts = [f"<p>{_inline(operation['description'])}</p>", _calls(rpc)]
    if operation["parameters"]:
        rows = [_row(p["name"], _type(p["schema"]), p["in"], p["schema"]) for p in operation["parameters"]]
        parts.append(_table("Parameters", rows))
    if "requestBody" in operation:
        parts.append(_message("Request", _schema_of(operation["requestBody"]), schemas, given=True))
    parts.append(_message("Reply", _schema_of(operation["responses"]["200"]), schemas, given=False))
    parts.append(_command(verb, path, operation, schemas))
    return f"""<details class="rpc" id="{name}" data-words="{escape(words)}">
<summary>{_verb(verb)}<span class="path">{_soft(path)}</span><span class="name">{name}</span></summary>
<div class="more">{"".join(parts)}</div>
</details>
"""


def _schema_of(holder: Schema) -> Schema:
    (media,) = holder["content"].values()
    schema: Schema = media["schema"]
    return schema


def _verb(verb: str) -> str:
    return f'<span class="verb {escape(verb)}">{escape(verb.upper())}</span>'


def _soft(path: str) -> str:
    """A path whose beginning, which nearly all share, stands back; it may be broken behind a slash."""
    head = re.match(r"/v2(?:/users/\{user_id\})?(?:/apps/\{app_id\}(?=/))?", path)
    cut = head.end() if head and head.end() < len(path) else 0
    begin, rest = (escape(part).replace("/", "<wbr>/") for part in (path[:cut], path[cut:]))
    rest = re.sub(r"\{([a-z0-9_]+)\}", r"<var>{\1}</var>", rest)
    return (f'<span class="shared">{begin}</span>' if begin else "") + rest


def _calls(rpc: _Rpc) -> str:
    if len(rpc.calls) == 1:
        return ""
    rows = "".join(f"<li>{_verb(verb)}<code>{_soft(path)}</code></li>" for verb, path in rpc.calls)
    return f"<h3>Paths</h3><ul class='calls'>{rows}</ul>"


def _message(title: str, schema: Schema, schemas: Mapping[str, Schema], *, given: bool) -> str:
    name = _named(schema)
    rows = _rows(schemas[schema["$ref"].removeprefix(_REF)], given=given)
    return _table(title, rows, f" <code>{escape(name)}</code>")


def _rows(schema: Schema, *, given: bool, default: Schema | None = None) -> list[str]:
    always = () if given else schema.get("required", ())
    return [
        _row(name, _type(inner), "always in a reply" if name in always else "", (default or {}).get(name, inner))
        for name, inner in schema.get("properties", {}).items()
    ]


def _row(name: str, kind: str, note: str, schema: Schema) -> str:
    notes = [escape(note)] if note else []
    if "default" in schema:
        notes.append(f"default {schema['default']:g}")
    return f"<tr><th scope='row'><code>{escape(name)}</code></th><td>{kind}</td><td>{', '.join(notes)}</td></tr>"


def _table(title: str, rows: list[str], behind: str = "") -> str:
    head = f"<h3>{escape(title)}{behind}</h3>" if title else ""
    if not rows:
        return f"{head}<p class='none'>No fields.</p>"
    return f"{head}<div class='wide'><table><tbody>{''.join(rows)}</tbody></table></div>"


def _type(schema: Schema) -> str:
    """A type in words, with links."""
    if "$ref" in schema:
        name = escape(_named(schema))
        return f'<a href="#type-{name}">{name}</a>'
    if schema.get("type") == "array" and schema["items"]:
        return f"list of {_type(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    if "description" in schema:
        return escape(schema["description"].rstrip("."))
    kind = schema.get("type", "any")
    words = _FORMATS.get(schema.get("format", "")) or (kind if isinstance(kind, str) else kind[0])
    return escape({"array": "list"}.get(words, words))


def _named(schema: Schema) -> str:
    return str(schema["$ref"].removeprefix(_REF).removesuffix(GIVEN))


def _types(schemas: Mapping[str, Schema], families: Mapping[str, list[_Rpc]]) -> str:
    """Every type that something links to."""
    linked = {_named(ref) for schema in schemas.values() for ref in _refs(schema)}
    for rpcs in families.values():
        linked |= {_named(ref) for rpc in rpcs for ref in _refs(rpc.operation["parameters"])}
    return "".join(_type_entry(name, schemas) for name in sorted(linked, key=str.lower))


def _refs(value: Any) -> Iterable[Schema]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _type_entry(name: str, schemas: Mapping[str, Schema]) -> str:
    given = schemas.get(name + GIVEN, {})
    schema = schemas.get(name, given)
    if "enum" in schema:
        pairs = zip(schema["enum"], schema["x-enum-varnames"], strict=True)
        items = "".join(f"<li><b>{number}</b> {escape(word)}</li>" for number, word in pairs)
        inside, kind = f"<ul class='enum'>{items}</ul>", f"enum of {len(schema['enum'])}"
    else:
        rows = _rows(schema, given=name + GIVEN not in schemas, default=given.get("properties"))
        said = f"<p>{escape(schema['description'])}</p>" if "description" in schema else ""
        inside, kind = said + _table("", rows), f"{len(rows)} field{'' if len(rows) == 1 else 's'}"
    shown = escape(name)
    return f"""<details class="type" id="type-{shown}" data-words="{shown.lower()}">
<summary><code>{shown}</code><span class="name">{kind}</span></summary>
<div class="more">{inside}</div>
</details>
"""


def _command(verb: str, path: str, operation: Schema, schemas: Mapping[str, Schema]) -> str:
    line = escape(curl(verb, path, operation, schemas, "\0")).replace("\0", f"<span class='origin'>{_SUGGESTED}</span>")
    return (
        f"<h3>Call</h3><div class='call'><pre tabindex='0'><code>{line}</code></pre>"
        "<button type='button' class='copy'>Copy</button></div>"
    )


def _prose(text: str) -> str:
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in text.split("\n\n"))


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
