"""The description of the API: that it is a legal one, says all that is served, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from typing import Any

import jsonschema_rs
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.message import Message
from openapi_spec_validator import OpenAPIV31SpecValidator

from labelwright.protocol.dispatch import served
from labelwright.protocol.families import OTHERS, family, in_order, main_bindings
from labelwright.protocol.methods import methods
from labelwright.protocol.openapi import document, path
from labelwright.protocol.openapi_html import render
from labelwright.protocol.openapi_page import accepts_gzip
from labelwright.protocol.openapi_sample import curl
from labelwright.protocol.openapi_schemas import GIVEN
from labelwright.protocol.rest import Binding, bindings
from labelwright.protocol.rest.printing import show_message

DOCUMENT = json.loads(json.dumps(document()))
SCHEMAS = DOCUMENT["components"]["schemas"]
r: Any = resources_pb2
"""Messages in messages are given as plain values, which the types do not know of."""

INPUTS = "/v2/users/{user_id}/apps/{app_id}/inputs"


def operations() -> Iterator[tuple[str, str, Any]]:
    for where, of_path in DOCUMENT["paths"].items():
        for verb, operation in of_path.items():
            yield verb, where, operation


def conforms(message: Message, name: str) -> bool:
    """Whether a message, as it is printed, is what the schema of this name says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    return bool(jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(show_message(message)))


def named(name: str) -> Any:
    return {p["name"]: p for _, _, o in operations() if o["operationId"] == name for p in o["parameters"]}


def test_it_is_a_legal_document() -> None:
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_every_path_that_leads_to_what_is_served_is_in_it_and_no_other() -> None:
    told = {(verb.upper(), where): operation["summary"] for verb, where, operation in operations()}
    reached = {(b.verb, path(b)): b.method for b in bindings() if b.method in served() and not b.hidden_by}
    assert told == reached
    # As many as there are: no two bindings have become one.
    assert len(told) == sum(b.method in served() and not b.hidden_by for b in bindings())


def test_an_operation_has_an_id_of_its_own_and_the_main_path_the_name_of_the_rpc() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    for name in served():
        main = main_bindings()[name]
        assert DOCUMENT["paths"][path(main)][main.verb.lower()]["operationId"] == name


def test_the_variables_of_a_path_are_its_parameters() -> None:
    for _, where, operation in operations():
        given = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert given == re.findall(r"\{([^}]+)\}", where)
        assert all(p["required"] for p in operation["parameters"] if p["in"] == "path")
        names = [(p["in"], p["name"]) for p in operation["parameters"]]
        assert len(names) == len(set(names))


def test_variables_that_would_have_the_same_short_name_keep_the_long_one() -> None:
    made = Binding("X", "GET", "/v2/{source.id}/{target.id}/{user_app_id.app_id}", "")
    assert path(made) == "/v2/{source_id}/{target_id}/{app_id}"


def test_a_query_has_what_the_path_does_not_say() -> None:
    full, short = named("ListInputs"), named("ListInputs_2")
    assert {"user_id", "app_id", "page", "per_page", "ids", "status.code"} <= set(full)
    assert not any(name.startswith("user_app_id.") for name in full)
    assert {"user_app_id.user_id", "user_app_id.app_id"} <= set(short)
    assert "status.req_id" not in full
    assert full["ids"]["schema"] == {"type": "array", "items": {"type": "string"}}
    # Of a list of messages one field each.
    assert named("ListAnnotations")["statuses.code"]["schema"]["type"] == "array"
    assert all(p["in"] == "path" for p in named("PostInputs").values())


def test_the_scopes_of_an_operation_are_those_of_its_rpc() -> None:
    for _, _, operation in operations():
        method = methods()[operation["summary"]]
        schemes = {name: scopes for each in operation["security"] for name, scopes in each.items()}
        assert set(schemes) == (set() if not method.needs_key else {"token"} if method.personal else {"token", "key"})
        assert all(scopes == sorted(method.scopes) for scopes in schemes.values())
        assert all(f"`{scope}`" in operation["description"] for scope in method.scopes)


def test_what_is_always_printed_is_required_in_replies_alone() -> None:
    assert SCHEMAS["MultiInputResponse"]["required"] == ["status", "inputs"]
    assert SCHEMAS["Concept"]["required"] == ["value"]
    assert "required" not in SCHEMAS["Concept" + GIVEN]
    assert SCHEMAS["Concept" + GIVEN]["properties"]["value"]["default"] == 1
    given = DOCUMENT["paths"][INPUTS]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    waiting, seen = [given], set()
    while waiting:
        name = waiting.pop().rpartition("/")[2]
        if name not in seen:
            seen.add(name)
            assert "required" not in SCHEMAS[name], name
            waiting.extend(re.findall(r'"\$ref": "([^"]+)"', json.dumps(SCHEMAS[name])))
    assert {"Input" + GIVEN, "Data" + GIVEN, "Concept" + GIVEN} <= seen


def test_every_schema_is_referred_to() -> None:
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(DOCUMENT)))
    assert referred == set(SCHEMAS)


@pytest.mark.parametrize(
    "message",
    [
        r.Concept(value=float("nan")),
        r.Concept(value=0.1, id="ü"),
        r.Image(base64=b"\xff\xfe", allow_duplicate_url=True),
        r.DatasetVersionMetrics(inputs_count={"value": 2**64 - 1}),
        r.DatasetVersionMetrics(inputs_count={"value": 3}),
        r.Concept(value=3.4028234663852886e38),
        r.Input(created_at={"seconds": 1, "nanos": 7}, status=status_pb2.Status(code=30000)),
        r.Data(metadata={"a": [1, None, {"b": True}]}),
        r.ConceptCount(id="a", concept_type_count={"positive": 2**31 - 1}),
        r.Data(regions=[{"region_info": {"bounding_box": {}}, "data": {"concepts": [{}]}}]),
    ],
    ids=lambda m: m.DESCRIPTOR.name,
)
def test_what_is_printed_is_what_the_schema_says(message: Any) -> None:
    assert conforms(message, message.DESCRIPTOR.name)


def test_what_is_printed_otherwise_is_not() -> None:
    wrong = jsonschema_rs.Draft202012Validator(
        {"$ref": "#/components/schemas/Concept", "components": {"schemas": SCHEMAS}}
    )
    assert wrong.is_valid({"value": 1})
    assert not wrong.is_valid({})
    assert not wrong.is_valid({"value": "much"})
    assert not wrong.is_valid({"value": 1, "visibility": {"gettable": "PUBLIC"}})


def test_a_stream_is_lines() -> None:
    for _, _, operation in operations():
        media = {m for reply in operation["responses"].values() for m in reply["content"]}
        streams = methods()[operation["summary"]].server_streams
        assert media == {"application/x-ndjson" if streams else "application/json"}


# --- families -------------------------------------------------------------------------------------


def test_every_rpc_is_of_a_family() -> None:
    assert {family(name) for name in methods()} >= {"inputs", "annotations", "models", "workflows", "keys", OTHERS}
    assert family("GetAnnotation") == "annotations"
    assert family("ListConceptRelations") == "concepts"
    assert family("MyScopes") == "keys"
    assert in_order(["users", OTHERS, "apps"]) == ["apps", "users", OTHERS]


# --- the page -------------------------------------------------------------------------------------


class Looked(HTMLParser):
    """What an HTML page is made of."""

    EMPTY = ("meta", "input", "wbr")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            if name == "src" or (name == "href" and tag != "a"):
                self.loaded.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = render(DOCUMENT)
    seen = Looked(page.html)
    assert seen.open == []
    assert seen.loaded == []
    assert seen.handlers == []
    assert len(seen.ids) == len(set(seen.ids))
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(seen.ids)
    assert [link for link in seen.links if not link.startswith("#")] == ["/openapi.json"]
    assert {o["summary"] for _, _, o in operations()} <= set(seen.ids)
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy


def test_every_path_stands_on_the_page() -> None:
    text = unescape(re.sub(r"<[^>]+>", "", render(DOCUMENT).html))
    assert all(where in text for _, where, _ in operations())


def test_texts_of_the_document_are_texts_on_the_page() -> None:
    evil = "<img src=x onerror=alert(1)>'\"&"
    operation = {
        "operationId": evil,
        "summary": evil,
        "description": evil,
        "tags": [evil],
        "parameters": [{"name": evil, "in": "query", "schema": {"type": evil}}],
        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{evil}"}}}}},
        "security": [{"key": [evil]}],
    }
    schema = {"type": "object", "description": evil, "properties": {evil: {"$ref": f"#/components/schemas/{evil}"}}}
    page = render(
        {
            "info": {"version": evil, "description": evil},
            "tags": [{"name": evil}],
            "paths": {f"/v2/{evil}": {"get": operation}},
            "components": {"schemas": {evil: schema}},
        }
    )
    assert "<img" not in page.html
    assert Looked(page.html).handlers == []


def test_a_command_line_has_a_body_to_fill_in() -> None:
    def line(verb: str, where: str) -> str:
        return curl(verb, where, DOCUMENT["paths"][where][verb], SCHEMAS, "http://here")

    assert line("get", f"{INPUTS}/{{input_id}}") == (
        'curl -H "Authorization: Key $LABELWRIGHT_PAT" \\\n  http://here/v2/users/me/apps/my-app/inputs/INPUT_ID'
    )
    assert line("post", INPUTS).endswith("""/my-app/inputs \\\n  -d '{"inputs": [{"id": "ID"}]}'""")
    assert line("delete", INPUTS).startswith("curl -X DELETE ")
    assert line("delete", INPUTS).endswith("""-d '{"ids": ["ID"]}'""")
    assert line("patch", INPUTS).endswith("""-d '{"inputs": [{"id": "ID"}], "action": "merge"}'""")


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZip;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("br", False),
        ("gzip;q=much", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_a_request_of_the_document_is_the_message_of_the_service() -> None:
    fields = [f.name for f in service_pb2.PostInputsRequest.DESCRIPTOR.fields]
    assert list(SCHEMAS["PostInputsRequest"]["properties"]) == fields
