"""A server to throw requests at, with an app in which there is something of everything."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
from google.protobuf import json_format

from labelwright.protocol.methods import methods
from labelwright.store import users
from labelwright.store.engine import Store
from tests.acceptance.conftest import TOKEN, USER, Running
from tests.fuzz.aim import PICTURE
from tests.integration.some_requests import KIN, NEW, ONE, evaluation, good, graph, threshold

APP = "fuzz"
GUEST, STRANGER = "guest", "stranger"
JOB = "0123456789abcdef0123456789abcdef"


class World:
    """The server, and what its app holds."""

    def __init__(self, folder: Path) -> None:
        # One worker, so that the tests beside this one have something of the machine too.
        self.running = Running(folder / "home", env={"LABELWRIGHT_WORKERS": "1"})
        self.headers = {"Authorization": f"Key {TOKEN}"}
        self.names: dict[str, str] = {"guest": GUEST, "stranger": STRANGER}
        """What the server named itself."""
        self.pool: dict[str, list[str]] = {}
        """The same and all other ids that there are, by the fields that hold them; under "id" every one."""
        try:
            self.running.start()
            self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.running.port}", timeout=60, trust_env=False)
            store = Store(f"sqlite:///{self.running.home / 'labelwright.db'}")
            with contextlib.closing(store), store.write() as conn:
                for user in (GUEST, STRANGER):
                    users.add(conn, user, b"")
            self.document: dict[str, Any] = self.http.get("/openapi.json").raise_for_status().json()
            self.renew()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if hasattr(self, "http"):
            self.http.close()
        self.running.close()

    def good(self, rpc: str) -> dict[str, Any]:
        """What a request says that goes well, as plain values."""
        request = good(methods()[rpc], USER, self.names, APP)
        plain: dict[str, Any] = json_format.MessageToDict(request, preserving_proto_field_name=True)
        return plain

    def renew(self) -> None:
        """Make the app anew, with something of everything, and a key that may be spoilt."""
        for app in (APP, NEW):
            self._call("DELETE", f"users/me/apps/{app}", expect=None)
        self._call("POST", "users/me/apps", apps=[{"id": APP, "default_workflow_id": "Empty"}])
        here = f"users/me/apps/{APP}"
        self._call("POST", f"{here}/concepts", concepts=[{"id": ONE}, {"id": KIN}])
        relation = {"object_concept": {"id": KIN}, "predicate": "synonym"}
        related = self._call("POST", f"{here}/concepts/{ONE}/relations", concept_relations=[relation])
        self._call("POST", f"{here}/concepts/knowledge_graphs", knowledge_graphs=[{"id": ONE}])
        text = {"text": {"raw": "some words"}, "concepts": [{"id": ONE}], "metadata": {"a": [1, None]}}
        picture = {"id": "picture", "data": {"image": {"base64": PICTURE}}}
        inputs = [{"id": ONE, "data": text}, picture]
        self._call("POST", f"{here}/inputs", inputs=inputs, inputs_add_job_id=JOB)
        box = {"top_row": 0.1, "left_col": 0.1, "bottom_row": 0.5, "right_col": 0.5}
        region = {"region_info": {"bounding_box": box}, "data": {"concepts": [{"id": ONE}]}}
        annotations = [
            {"id": ONE, "input_id": ONE, "data": {"concepts": [{"id": KIN}]}, "status": {"code": 24151}},
            {"id": "box", "input_id": "picture", "data": {"regions": [region]}},
        ]
        self._call("POST", f"{here}/annotations", annotations=annotations)
        old = self._call("POST", f"{here}/models", models=[_plain(threshold(id=ONE))])["model"]["model_version"]["id"]
        newer = {"description": "newer", "output_info": _plain(threshold())["output_info"]}
        model = self._call("POST", f"{here}/models/{ONE}/versions", model_versions=[newer])["model"]
        first = self._call("POST", f"{here}/workflows", workflows=[_plain(graph(ONE))])["workflows"][0]
        patched: dict[str, Any] = {"workflows": [_plain(graph(ONE, 0.7))], "action": "overwrite"}
        second = self._call("PATCH", f"{here}/workflows", **patched)["workflows"][0]
        self._call("POST", f"{here}/evaluations", eval_metrics=[_plain(evaluation(ONE))])
        key = {"type": "personal_access_token", "scopes": ["Concepts_Get"]}
        guest = {"user": {"id": GUEST}, "scopes": ["Concepts_Get"]}
        invited = self._call("POST", f"{here}/collaborators", collaborators=[guest])["collaborators"][0]
        self.names |= {
            "relation": related["concept_relations"][0]["id"],
            "old_model_version": old,
            "model_version": model["model_version"]["id"],
            "old_workflow_version": first["version"]["id"],
            "workflow_version": second["version"]["id"],
            "job": JOB,
            "key": self._call("POST", "users/me/keys", keys=[key])["keys"][0]["id"],
            "collaborator": invited["id"],
        }
        versions = [self.names[n] for n in ("model_version", "old_model_version")]
        flows = [self.names[n] for n in ("workflow_version", "old_workflow_version")]
        self.pool = {
            "user_id": ["me", USER],
            "app_id": [APP],
            "concept_id": [ONE, KIN],
            "input_id": [ONE, "picture"],
            "annotation_id": [ONE, "box"],
            "evaluation_id": [ONE],
            "language": ["en", "fr"],
            "key_id": [self.names["key"]],
            "model_version_id": versions,
            "workflow_version_id": flows,
            "version_id": versions + flows,
            "id": [*self.names.values(), *[ONE] * 8, KIN, NEW, "picture", "box", APP],
        }

    def is_stale(self) -> bool:
        """Whether the app, or something in it that many calls need, is gone or has another name."""
        here = f"/v2/users/me/apps/{APP}"
        needed = (f"{here}/{kind}/{ONE}" for kind in ("inputs", "models", "workflows"))
        return any(self.http.get(path, headers=self.headers).status_code != 200 for path in needed)

    def _call(self, verb: str, path: str, expect: int | None = 10000, **body: Any) -> Any:
        reply = self.http.request(verb, f"/v2/{path}", headers=self.headers, content=json.dumps(body))
        said = reply.json()
        assert expect in (None, said["status"]["code"]), f"{verb} {path}: {said}"
        return said


def _plain(message: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return plain
