"""The tutorial's workflow on real photos, and what becomes of URLs that fail."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import skimage.data
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from PIL import Image

if TYPE_CHECKING:
    from tests.acceptance.conftest import Session, Start


def jpeg(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(getattr(skimage.data, name)()).convert("RGB").save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


class _Photos(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path
        if path.endswith(".jpg"):
            self._send(200, jpeg(path.strip("/").removesuffix(".jpg").partition("-")[0]), "image/jpeg")
        elif path == "/page":
            self._send(200, b"<html>not a photo</html>", "image/jpeg")
        elif path == "/moved":
            self._redirect("/astronaut-moved.jpg")
        elif path == "/inside":
            self._redirect("http://169.254.169.254/latest/meta-data/")
        elif path == "/file":
            self._redirect("file:///etc/passwd")
        elif path == "/slow":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.1)
        elif path == "/large":
            self._send(200, b"\xff\xd8\xff" + bytes(2_000_000), "image/jpeg")
        elif path == "/pixels":
            buffer = io.BytesIO()
            Image.new("1", (5000, 5000)).save(buffer, "PNG")
            self._send(200, buffer.getvalue(), "image/png")
        else:
            self._send(404, b"", "text/plain")

    def _send(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def handle(self) -> None:
        # Whom the server hangs up on finds a broken pipe; that is what some of these are for.
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def photos() -> Iterator[str]:
    """A loopback HTTP server with photos and worse; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Photos)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def people_workflow(session: Session, threshold: float = 0.5) -> None:
    """The tutorial's workflow for one concept, as the app's default."""
    concept = resources_pb2.Concept(id="peopleID", name="people")
    session.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[concept]))
    relation = resources_pb2.ConceptRelation(
        object_concept=resources_pb2.Concept(id="ai_l8TKp2h5", app_id="main"), predicate="synonym"
    )
    request = service_pb2.PostConceptRelationsRequest(concept_id="peopleID", concept_relations=[relation])
    session.call("PostConceptRelations", request)
    data = resources_pb2.Data(concepts=[resources_pb2.Concept(id="peopleID", value=threshold)])
    models: dict[str, tuple[str, dict[str, Any]]] = {
        "mapper": ("concept-synonym-mapper", {"knowledge_graph_id": ""}),
        "above": ("concept-threshold", {"concept_threshold_type": resources_pb2.GREATER_THAN}),
        "below": ("concept-threshold", {"concept_threshold_type": "LESS_THAN"}),
        "success": ("annotation-writer", {"annotation_status": 24150}),
        "pending": ("annotation-writer", {"annotation_status": "ANNOTATION_PENDING"}),
    }
    for model_id, (kind, params) in models.items():
        info = resources_pb2.OutputInfo(data=data if kind == "concept-threshold" else None)
        info.params.update(params)
        model = resources_pb2.Model(id=model_id, model_type_id=kind, output_info=info)
        session.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    graph = {
        "embed": ("general-image-embedding", ""),
        "concepts": ("general-image-recognition", ""),
        "cluster": ("general-clusterering", "embed"),
        "faces": ("face-detection", ""),
        "mapper": ("mapper", "concepts"),
        "above": ("above", "mapper"),
        "success": ("success", "above"),
        "below": ("below", "mapper"),
        "pending": ("pending", "below"),
    }
    nodes = [
        resources_pb2.WorkflowNode(
            id=node_id,
            model=resources_pb2.Model(id=model_id),
            node_inputs=[resources_pb2.NodeInput(node_id=before)] if before else [],
        )
        for node_id, (model_id, before) in graph.items()
    ]
    workflow = resources_pb2.Workflow(id="auto", nodes=nodes)
    session.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
    app = resources_pb2.App(id=session.app, default_workflow_id="auto")
    session.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))


def add(session: Session, **images: resources_pb2.Image) -> None:
    inputs = [resources_pb2.Input(id=i, data=resources_pb2.Data(image=image)) for i, image in images.items()]
    session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))


def test_photos_are_labelled_and_bad_urls_fail_alone(running: Start, photos: str) -> None:
    limits = {
        "LABELWRIGHT_ALLOW_PRIVATE_URLS": "1",
        "LABELWRIGHT_FETCH_TIMEOUT": "3",
        "LABELWRIGHT_MAX_MEDIA_BYTES": "1000000",
        "LABELWRIGHT_MAX_PIXELS": "4000000",
    }
    session = running(env=limits).start().client()
    session.make_app()
    people_workflow(session)
    url = resources_pb2.Image
    bad = ("missing", "page", "inside", "file", "slow", "large", "pixels")
    add(
        session,
        astronaut=url(url=f"{photos}/astronaut.jpg"),
        coins=url(url=f"{photos}/coins.jpg"),
        coffee=url(url=f"{photos}/coffee.jpg"),
        bytes=url(base64=jpeg("astronaut")),
        moved=url(url=f"{photos}/moved"),
        nowhere=url(url="http://127.0.0.1:9/x.jpg"),
        **{name: url(url=f"{photos}/{name}") for name in bad},
    )
    session.settle()

    status = {i.id: i.status for i in session.inputs()}
    assert {i for i, s in status.items() if s.code == 30000} == {"astronaut", "coins", "coffee", "bytes", "moved"}
    reasons = {
        "missing": "404",
        "page": "not an image",
        "inside": "169.254.169.254",
        "file": "file",
        "slow": "3 s",
        "large": "1000000",
        "pixels": "4000000",
        "nowhere": "127.0.0.1",
    }
    for input_id, text in reasons.items():
        assert text.replace("_", "") in status[input_id].details.replace(",", ""), status[input_id]

    found = {a.input_id: (a.status.code, a.data.concepts[0].value) for a in session.annotations(user_ids=["tester"])}
    assert set(found) == {"astronaut", "coins", "bytes", "moved"}
    assert found["coins"][0] == 24151
    assert found["coins"][1] < 0.5
    for labelled in ("astronaut", "bytes", "moved"):
        assert found[labelled][0] == 24150
        assert found[labelled][1] > 0.8
    for annotation in session.annotations(input_ids=["astronaut"]):
        assert [c.id for c in annotation.data.concepts] == ["peopleID"]
        assert annotation.model_version_id == "aa7f35c01e0642fda5cf400f543e7c40"
        assert annotation.worker.user.id == "tester"


def test_private_addresses_are_refused_unless_they_are_allowed(running: Start, photos: str) -> None:
    session = running().start().client()
    session.make_app()
    add(session, here=resources_pb2.Image(url=f"{photos}/astronaut.jpg"))
    session.settle()
    (refused,) = session.inputs()
    assert refused.status.code == 30106
    assert "LABELWRIGHT_ALLOW_PRIVATE_URLS" in refused.status.details
