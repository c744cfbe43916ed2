"""Items that wait for a person, for the tests of the review pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from PIL import Image

from tests.acceptance.conftest import Session

SUCCESS, PENDING, FLAGGED = 24150, 24151, 24157


def picture(n: int, width: int = 96, height: int = 72) -> bytes:
    """A small image, of another colour for each number."""
    out = io.BytesIO()
    colour = ((37 * n) % 256, (91 * n + 60) % 256, (53 * n + 120) % 256)
    Image.new("RGB", (width, height), colour).save(out, "PNG")
    return out.getvalue()


def add_pictures(session: Session, n: int, prefix: str = "in") -> list[str]:
    """Inputs with an image each; their ids."""
    ids = [f"{prefix}{i:04}" for i in range(n)]
    for start in range(0, n, 128):
        inputs = [
            resources_pb2.Input(id=id_, data=resources_pb2.Data(image=resources_pb2.Image(base64=picture(start + i))))
            for i, id_ in enumerate(ids[start : start + 128])
        ]
        session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
    session.settle()
    return ids


def waiting(
    input_id: str, concepts: Sequence[tuple[str, float]], box: tuple[float, float, float, float] | None = None
) -> resources_pb2.Annotation:
    """An annotation that waits: concepts (name, score) of an input, or of a box (top, left, bottom, right) in it."""
    named = [resources_pb2.Concept(id=name, name=name, value=score) for name, score in concepts]
    made = resources_pb2.Annotation(input_id=input_id, status=status_pb2.Status(code=PENDING))
    if box is None:
        made.data.concepts.extend(named)
        return made
    region = made.data.regions.add()
    region.data.concepts.extend(named)
    edges = region.region_info.bounding_box
    edges.top_row, edges.left_col, edges.bottom_row, edges.right_col = box
    return made


def post(session: Session, annotations: Sequence[resources_pb2.Annotation]) -> list[str]:
    """Add annotations; their ids."""
    ids = []
    for start in range(0, len(annotations), 128):
        request = service_pb2.PostAnnotationsRequest(annotations=annotations[start : start + 128])
        ids += [a.id for a in session.call("PostAnnotations", request).annotations]
    return ids


def queue_of(session: Session, n: int, concept: str = "dog") -> list[str]:
    """``n`` pictures, each with a concept that waits; the least sure one comes first. The inputs' ids."""
    ids = add_pictures(session, n)
    post(session, [waiting(id_, [(concept, 0.5 + 0.4 * i / n)]) for i, id_ in enumerate(ids)])
    return ids


def annotations_of(session: Session) -> list[Any]:
    """All annotations that people decided about or that wait."""
    found: list[Any] = []
    page = 1
    while True:
        request = service_pb2.ListAnnotationsRequest(page=page, per_page=1000, list_all_annotations=True)
        request.statuses.extend(status_pb2.Status(code=code) for code in (SUCCESS, PENDING, FLAGGED))
        reply = session.call("ListAnnotations", request).annotations
        found += reply
        if len(reply) < 1000:
            return found
        page += 1


def verdicts(session: Session) -> dict[str, str]:
    """What became of each input's concept: "accept", "reject", "flag" or "wait", by the API alone."""
    found = {}
    for a in annotations_of(session):
        concepts = [*a.data.concepts, *(c for r in a.data.regions for c in r.data.concepts)]
        for concept in concepts:
            state = {PENDING: "wait", FLAGGED: "flag"}.get(a.status.code)
            found[a.input_id] = state or ("accept" if concept.value >= 0.5 else "reject")
    return found
