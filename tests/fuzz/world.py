"""A server to throw requests at, with an app in which there is something of everything."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.acceptance.conftest import TOKEN, USER, Running
from tests.fuzz.aim import APP, CHOSEN

ONE, EYE = "one", "eye"


class World:
    """The server, and what its app holds."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.base = f"http://127.0.0.1:{running.port}"
        self.http = httpx.Client(base_url=self.base, timeout=60, trust_env=False)
        self.headers = {"Authorization": f"Key {TOKEN}"}
        self.document: dict[str, Any] = self.http.get("/openapi.json").raise_for_status().json()
        self.pool: dict[str, list[str]] = {}

    def close(self) -> None:
        self.http.close()

    def renew(self) -> None:
        """Make the app anew, with something of everything, and another key that may be spoilt."""
        self._call("DELETE", f"users/me/apps/{APP}", expect=None)
        concepts = [{"id": ONE}, {"id": "two"}]
        self._call("POST", "users/me/apps", apps=[{"id": APP, "default_workflow_id": "Empty"}])
        here = f"users/me/apps/{APP}"
        self._call("POST", f"{here}/concepts", concepts=concepts)
        relation = {"object_concept": {"id": "two"}, "predicate": "synonym"}
        related = self._call("POST", f"{here}/concepts/{ONE}/relations", concept_relations=[relation])
        self._call("POST", f"{here}/concepts/{ONE}/languages", concept_languages=[{"id": "de", "name": "eins"}])
        picture = {"image": {"base64": CHOSEN["base64"][0]}, "concepts": [{"id": ONE}], "metadata": {"a": [1, None]}}
        said = {"text": {"raw": "some words"}}
        self._call("POST", f"{here}/inputs", inputs=[{"id": ONE, "data": picture}, {"id": "two", "data": said}])
        box = {"top_row": 0.1, "left_col": 0.1, "bottom_row": 0.5, "right_col": 0.5}
        region = {"region_info": {"bounding_box": box}, "data": {"concepts": [{"id": ONE}]}}
        annotation = {"input_id": ONE, "data": {"regions": [region]}, "status": {"code": 24151}}
        made = self._call("POST", f"{here}/annotations", annotations=[annotation])
        info = {"params": {"concept_threshold_type": 1}, "data": {"concepts": [{"id": ONE, "value": 0.5}]}}
        model = {"id": ONE, "model_type_id": "concept-threshold", "output_info": info}
        version = self._call("POST", f"{here}/models", models=[model])["model"]["model_version"]["id"]
        self._call("POST", f"{here}/models", models=[{"id": EYE, "model_type_id": "odd-classifier"}])
        nodes = [
            {"id": EYE, "model": {"id": EYE}},
            {"id": ONE, "model": {"id": ONE}, "node_inputs": [{"node_id": EYE}]},
        ]
        flow = self._call("POST", f"{here}/workflows", workflows=[{"id": ONE, "nodes": nodes}])["workflows"][0]
        key = {"description": "to be spoilt", "scopes": ["All"], "apps": [{"id": APP, "user_id": USER}]}
        self.pool = {
            "user_id": ["me", USER],
            "app_id": [APP],
            "concept_id": [ONE, "two"],
            "input_id": [ONE, "two"],
            "model_id": [ONE, EYE],
            "workflow_id": [ONE],
            "language": ["de", "en"],
            "relation_id": [related["concept_relations"][0]["id"]],
            "annotation_id": [made["annotations"][0]["id"]],
            "version_id": [version, flow["version"]["id"]],
            "model_version_id": [version],
            "workflow_version_id": [flow["version"]["id"]],
            "key_id": [self._call("POST", "users/me/keys", keys=[key])["keys"][0]["id"]],
        }
        every = {each for ids in self.pool.values() for each in ids}
        self.pool["id"] = sorted(every) + [ONE] * 5 + ["new"]

    def is_whole(self) -> bool:
        """Whether the app is still there."""
        return self.http.get(f"/v2/users/me/apps/{APP}", headers=self.headers).status_code == 200

    def _call(self, verb: str, path: str, expect: int | None = 10000, **body: Any) -> Any:
        reply = self.http.request(verb, f"/v2/{path}", headers=self.headers, content=json.dumps(body))
        said = reply.json()
        assert expect in (None, said["status"]["code"]), f"{verb} {path}: {said}"
        return said
