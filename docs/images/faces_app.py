"""An app with something to review: where is a face in crops of the demo's photos?

All that it holds is what the built-in face detector says of them, through a workflow like the tutorial's. Of the
astronaut, cut and turned, it is sure more or less often; of the heads on the coins, all in profile, it is not. What is
below the threshold waits for a person.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Iterator
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2 as api
from clarifai_grpc.grpc.api import service_pb2, service_pb2_grpc
from PIL import Image

from labelwright.demo.own_server import OwnServer
from labelwright.demo.photos import sample_photos

APP, THRESHOLD = "faces", 0.9
SIDE = 480
"""Pixels of a crop's side."""
SEED = 4
POSTED = 32
PATIENCE = 300.0


class Client:
    """The official client, in this app."""

    def __init__(self, stub: service_pb2_grpc.V2Stub, server: OwnServer) -> None:
        self._stub, self._server = stub, server

    def call(self, rpc: str, **fields: Any) -> Any:
        """Call an RPC that has to succeed."""
        request = getattr(service_pb2, f"{rpc}Request")(**fields)
        request.user_app_id.user_id, request.user_app_id.app_id = self._server.user_id, APP
        reply = getattr(self._stub, rpc)(request, metadata=[("authorization", f"Key {self._server.token}")], timeout=60)
        if reply.status.code != 10000:
            raise SystemExit(f"{rpc}: {reply.status}")
        return reply


def make_app(client: Client, user: str) -> None:
    """The app with its workflow: find faces, and write labels or questions."""
    client.call("PostApps", apps=[api.App(id=APP)])
    client.call("PostConcepts", concepts=[api.Concept(id="face", name="face")])
    same = api.ConceptRelation(predicate="synonym", object_concept=api.Concept(id="ai_face", app_id="main"))
    client.call("PostConceptRelations", concept_id="face", concept_relations=[same])
    limit = [api.Concept(id="face", value=THRESHOLD)]
    add_model(client, "translate", "concept-synonym-mapper", knowledge_graph_id="")
    add_model(client, "sure", "concept-threshold", limit, concept_threshold_type="GREATER_THAN")
    add_model(client, "unsure", "concept-threshold", limit, concept_threshold_type="LESS_THAN")
    for id_, status in (("label", "ANNOTATION_SUCCESS"), ("ask", "ANNOTATION_PENDING")):
        add_model(client, id_, "annotation-writer", annotation_status=status, annotation_user_id=user)
    nodes = [
        api.WorkflowNode(id="find-faces", model=api.Model(id="face-detection", user_id="clarifai", app_id="main")),
        *(
            api.WorkflowNode(id=id_, model=api.Model(id=model), node_inputs=[api.NodeInput(node_id=after)])
            for id_, model, after in (
                ("translate", "translate", "find-faces"),
                ("sure", "sure", "translate"),
                ("write-labels", "label", "sure"),
                ("unsure", "unsure", "translate"),
                ("write-for-review", "ask", "unsure"),
            )
        ),
    ]
    client.call("PostWorkflows", workflows=[api.Workflow(id="label-faces", nodes=nodes)])
    client.call("PatchApps", action="overwrite", apps=[api.App(id=APP, default_workflow_id="label-faces")])


def add_model(client: Client, id: str, kind: str, concepts: list[api.Concept] | None = None, **params: Any) -> None:
    info = api.OutputInfo(data=api.Data(concepts=concepts or []))
    info.params.update(params)
    client.call("PostModels", models=[api.Model(id=id, model_type_id=kind, output_info=info)])


def add_crops(client: Client) -> int:
    """Add the crops, and wait until the workflow has seen them; returns how many there are."""
    made = list(crops())
    # Mixed, so that each page shows some of all.
    random.Random(SEED).shuffle(made)
    for start in range(0, len(made), POSTED):
        client.call("PostInputs", inputs=made[start : start + POSTED])
    end = time.monotonic() + PATIENCE
    while True:
        counts = client.call("GetInputCount").counts
        if counts.processed >= len(made):
            return len(made)
        if counts.errors or time.monotonic() > end:
            raise SystemExit(f"the crops were not labelled: {counts}")
        time.sleep(0.2)


def crops() -> Iterator[api.Input]:
    """Crops of the photos, always the same ones in the same order."""
    photos = {photo.path.stem: (photo, Image.open(photo.path).convert("RGB")) for photo in sample_photos().photos}

    def made(name: str, image: Image.Image, n: int) -> api.Input:
        photo, _ = photos[name]
        out = io.BytesIO()
        image.resize((SIDE, round(SIDE * image.height / image.width)), Image.Resampling.LANCZOS).save(out, "PNG")
        data = api.Data(image=api.Image(base64=out.getvalue()))
        data.metadata.update({"photo": photo.name, "credit": photo.credit})
        return api.Input(id=f"{name.split('_')[0]}-{n:03}", data=data)

    def tiles(name: str, side: int, step: int, start: int = 1) -> Iterator[api.Input]:
        _, image = photos[name]
        rows, columns = range(0, image.height - side + 1, step), range(0, image.width - side + 1, step)
        for n, (x, y) in enumerate(((x, y) for y in rows for x in columns), start):
            yield made(name, image.crop((x, y, x + side, y + side)), n)

    for name in ("chelsea", "coffee", "rocket", "flower", "china", "camera"):
        yield made(name, photos[name][1], 1)
    for series, side in enumerate((180, 150, 120, 100, 80)):
        yield from tiles("coins", side, side // 2, start=1 + 100 * series)
    _, astronaut = photos["astronaut"]
    n = 0
    for width, height in ((512, 384), (400, 400), (300, 300), (220, 260), (160, 160)):
        for angle in (-16, -12, 0, 12, 16, 20):
            n += 1
            turned = astronaut.rotate(angle, Image.Resampling.BICUBIC, center=(225, 130))
            left, top = max(0, 225 - width // 2), max(0, 130 - height // 2)
            yield made("astronaut", turned.crop((left, top, min(512, left + width), top + height)), n)
