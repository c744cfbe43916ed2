"""curl: REST as the API's documents show it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.conftest import TOKEN, USER
from tests.clients.conftest import Place

Curl = Callable[..., tuple[int, dict[str, Any]]]
KEY = f"Authorization: Key {TOKEN}"


@pytest.fixture
def curl(place: Place) -> Curl:
    """Calls a path; gives the HTTP status and the JSON. What is no text is sent as JSON."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("there is no curl here")

    def call(method: str, path: str, body: Any = None, headers: tuple[str, ...] = (KEY,)) -> tuple[int, dict[str, Any]]:
        command = [program, "--silent", "--show-error", "--noproxy", "*", "--globoff", "-X", method]
        for header in headers:
            command += ["-H", header]
        sent = body if isinstance(body, str) or body is None else json.dumps(body)
        if sent is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        command += ["-w", "\n%{http_code} %{content_type}", f"{place.base}{path}"]
        ran = subprocess.run(command, input=sent or "", capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
        text, _, end = ran.stdout.rpartition("\n")
        status, _, kind = end.partition(" ")
        assert kind.startswith("application/json"), ran.stdout
        return int(status), json.loads(text)

    return call


def until(ask: Callable[[], tuple[int, dict[str, Any]]], there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The reply, once what is waited for is there."""
    for _ in range(600):
        status, reply = ask()
        assert status == 200, reply
        if there(reply):
            return reply
        time.sleep(0.05)
    raise AssertionError("what was waited for does not come")


def test_an_apps_life(curl: Curl, place: Place) -> None:
    app = f"/v2/users/{USER}/apps/curled"
    status, made = curl("POST", "/v2/users/me/apps", {"apps": [{"id": "curled", "default_workflow_id": "Empty"}]})
    assert (status, made["status"]["code"], made["apps"][0]["id"]) == (200, 10000, "curled")

    inputs = [
        {
            "id": "by-url",
            "data": {
                "image": {"url": f"{place.photos}/astronaut.jpg"},
                # No value: of JSON that a person writes it means 1.
                "concepts": [{"id": "person"}, {"id": "cat", "value": 0}],
                "metadata": {"shelf": "a", "row": 3},
            },
        },
        {"id": "by-bytes", "data": {"image": {"base64": base64.b64encode(place.photo("coffee")).decode()}}},
        {"id": "text", "data": {"text": {"raw": "Zwei Tassen für uns."}}},
    ]
    status, posted = curl("POST", f"{app}/inputs", {"inputs": inputs})
    assert (status, [i["status"]["code"] for i in posted["inputs"]]) == (200, [30001] * 3)
    counted = until(lambda: curl("GET", f"{app}/inputs/status"), lambda reply: reply["counts"]["processed"] == 3)
    # Numbers are there, nought or not.
    assert counted["counts"]["errors"] == 0

    status, got = curl("GET", f"{app}/inputs/by-url")
    data = got["input"]["data"]
    assert got["input"]["status"]["code"] == 30000
    assert {c["id"]: c["value"] for c in data["concepts"]} == {"person": 1, "cat": 0}
    assert data["metadata"] == {"shelf": "a", "row": 3}
    status, listed = curl("GET", f"{app}/inputs?page=1&per_page=2")
    assert (status, len(listed["inputs"])) == (200, 2)
    status, listed = curl("GET", f"{app}/inputs?ids=text&ids=by-url")
    assert sorted(i["id"] for i in listed["inputs"]) == ["by-url", "text"]
    status, listed = curl("GET", f"{app}/inputs?page=1000&per_page=500")
    assert (status, listed["inputs"]) == (200, [])

    patch = {"action": "merge", "inputs": [{"id": "text", "data": {"concepts": [{"id": "drink", "value": 1}]}}]}
    status, patched = curl("PATCH", f"{app}/inputs", patch)
    assert [c["id"] for c in patched["inputs"][0]["data"]["concepts"]] == ["drink"]
    status, listed = curl("GET", f"{app}/annotations?input_ids=by-url&list_all_annotations=true&per_page=10")
    assert [c["id"] for c in listed["annotations"][0]["data"]["concepts"]] == ["person", "cat"]

    status, deleted = curl("DELETE", f"{app}/inputs", {"ids": ["by-url", "text"]})
    assert (status, deleted["status"]["code"]) == (200, 10000)
    status, _ = curl("DELETE", f"{app}/inputs/by-bytes")
    assert status == 200
    status, missing = curl("GET", f"{app}/inputs/by-url")
    assert (status, missing["status"]["code"]) == (404, 11101)
    assert curl("DELETE", app)[0] == 200


def test_the_tutorials_calls(curl: Curl, place: Place) -> None:
    app = "/v2/users/me/apps/curled-tutorial"
    assert curl("POST", "/v2/users/me/apps", {"apps": [{"id": "curled-tutorial"}]})[0] == 200
    status, _ = curl("POST", f"{app}/concepts", {"concepts": [{"id": "people"}, {"id": "man"}, {"id": "adult"}]})
    assert status == 200
    relation = {"object_concept": {"id": "ai_l8TKp2h5", "app_id": "main"}, "predicate": "synonym"}
    status, made = curl("POST", f"{app}/concepts/people/relations", {"concept_relations": [relation]})
    assert (status, made["concept_relations"][0]["subject_concept"]["id"]) == (200, "people")

    def model(name: str, kind: str, output_info: Any) -> None:
        # One model, as the tutorial's curl calls have it.
        body = {"model": {"id": name, "model_type_id": kind, "output_info": output_info}}
        status, made = curl("POST", f"{app}/models", body)
        assert (status, made["model"]["model_version"]["status"]["code"]) == (200, 21100), made

    model("mapper", "concept-synonym-mapper", {"params": {"knowledge_graph_id": ""}})
    concepts = {"concepts": [{"id": "people", "value": 0.5}]}
    model("above", "concept-threshold", {"params": {"concept_threshold_type": 1}, "data": concepts})
    model("below", "concept-threshold", {"params": {"concept_threshold_type": "LESS_THAN"}, "data": concepts})
    model("write", "annotation-writer", {"params": {"annotation_status": 24150, "annotation_user_id": USER}})
    model("wait", "annotation-writer", {"params": {"annotation_status": "ANNOTATION_PENDING"}})

    def node(name: str, after: str | None = None, model_id: str | None = None) -> dict[str, Any]:
        behind = {"node_inputs": [{"node_id": after}]} if after else {}
        return {"id": name, "model": {"id": model_id or name}, **behind}

    nodes = [
        node("see", model_id="aaa03c23b3724a16a56b629203edc62c"),
        *(node("mapper", "see"), node("above", "mapper"), node("write", "above")),
        *(node("below", "mapper"), node("wait", "below")),
    ]
    status, made = curl("POST", f"{app}/workflows", {"workflows": [{"id": "annotate", "nodes": nodes}]})
    assert (status, [n["id"] for n in made["workflows"][0]["nodes"]]) == (200, [n["id"] for n in nodes])
    patch = {"action": "overwrite", "apps": [{"id": "curled-tutorial", "default_workflow_id": "annotate"}]}
    status, patched = curl("PATCH", "/v2/users/me/apps", patch)
    assert (status, patched["apps"][0]["default_workflow_id"]) == (200, "annotate")

    question = {"inputs": [{"data": {"image": {"url": f"{place.photos}/astronaut.jpg"}}}]}
    status, preview = curl("POST", f"{app}/workflows/annotate/results", question)
    outputs = {o["model"]["id"]: o["data"] for o in preview["results"][0]["outputs"]}
    assert [c["id"] for c in outputs["above"]["concepts"]] == ["people"]
    assert "concepts" not in outputs["below"]
    status, answered = curl("POST", f"{app}/models/aaa03c23b3724a16a56b629203edc62c/outputs", question)
    assert [c["name"] for c in answered["outputs"][0]["data"]["concepts"]] == ["people"]

    status, _ = curl("POST", f"{app}/inputs", {"inputs": [{"id": "astronaut", **question["inputs"][0]}]})
    path = f"{app}/annotations?user_ids={USER}&list_all_annotations=true&statuses.code=24150"
    listed = until(lambda: curl("GET", path), lambda reply: bool(reply["annotations"]))
    (written,) = listed["annotations"]
    assert (written["input_id"], written["status"]["code"], written["user_id"]) == ("astronaut", 24150, USER)
    assert [c["id"] for c in written["data"]["concepts"]] == ["people"]
    assert curl("DELETE", app)[0] == 200


NO_KEY: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "code"),
    [
        ("GET", "/v2/users/me/apps", None, NO_KEY, 401, 11102),
        ("GET", "/v2/users/me/apps", None, ("Authorization: Key no-key",), 401, 11008),
        ("GET", "/v2/users/me/apps", None, (f"Authorization: Key {'0' * 32}",), 401, 11009),
        ("GET", "/v2/users/me/apps/nowhere", None, (KEY,), 404, 11101),
        ("GET", "/v2/users/me/apps/nowhere/inputs", None, (KEY,), 404, 11101),
        ("GET", "/v2/users/me/apps?per_page=1001", None, (KEY,), 400, 11102),
        ("GET", "/v2/users/me/apps?page=two", None, (KEY,), 400, 11100),
        ("POST", "/v2/users/me/apps", "{not JSON", (KEY,), 400, 11100),
        ("POST", "/v2/users/me/apps", {"apps": "one"}, (KEY,), 400, 11100),
        ("GET", "/v2/no/such/path", None, (KEY,), 404, 11101),
        ("PUT", "/v2/users/me/apps", {}, (KEY,), 405, 11103),
    ],
)
def test_an_error_has_an_http_status_and_the_apis_own(
    curl: Curl, method: str, path: str, body: Any, headers: tuple[str, ...], status: int, code: int
) -> None:
    got, reply = curl(method, path, body, headers)
    assert (got, reply["status"]["code"]) == (status, code), reply
    assert reply["status"]["description"]
    assert reply["status"]["details"]


def test_what_needs_no_key(curl: Curl) -> None:
    status, reply = curl("GET", "/v2/status_codes", headers=NO_KEY)
    assert status == 200
    assert 10000 in [s["code"] for s in reply["statuses"]]


def test_a_short_path_names_the_app_in_its_query_or_body(curl: Curl) -> None:
    assert curl("POST", "/v2/users/me/apps", {"apps": [{"id": "curled-short"}]})[0] == 200
    ids = {"user_id": USER, "app_id": "curled-short"}
    body = {"user_app_id": ids, "concepts": [{"id": "a"}, {"id": "b"}]}
    assert curl("POST", "/v2/concepts", body)[0] == 200
    query = f"user_app_id.user_id={USER}&user_app_id.app_id=curled-short"
    status, listed = curl("GET", f"/v2/concepts?{query}&per_page=1")
    assert (status, len(listed["concepts"])) == (200, 1)
    status, refused = curl("GET", "/v2/concepts")
    assert (status, refused["status"]["code"]) == (400, 11102)
    assert curl("DELETE", "/v2/users/me/apps/curled-short")[0] == 200
