"""From PostInputs to committed annotations: how many inputs a second, and how much the models are of it.

    python benchmarks/pipeline.py [--inputs 20000] [--photos 120] [--pages 64000]

Prints JSON. Three parts, each on a server of its own, with the official client in this process:

- stub: texts with precomputed scores through mapper, two thresholders and two writers; inputs a second, and
  the workers' memory after a third of the inputs and at the end.
- models: photos by bytes through the built-in models, beside the bare model calls on the same photos in this
  run: the ratio says how much of the machine's time goes into models.
- listing: a page of 128 annotations at the beginning of the list and at page 500.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import skimage.data
import sklearn.datasets
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from PIL import Image
from servers import Session, annotation_workflow, server
from stub_classifier import CONCEPTS

from labelwright.media.decode import decode_image
from labelwright.models.builtin.clusters import assign
from labelwright.models.builtin.descriptor import describe
from labelwright.models.builtin.faces import detect_faces, people_score


def _concepts(session: Session, ids: list[str]) -> None:
    concepts = [resources_pb2.Concept(id=i) for i in ids]
    session.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))


def _post(session: Session, inputs: list[resources_pb2.Input]) -> None:
    for i in range(0, len(inputs), 128):
        session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs[i : i + 128]))


def _children_mb(pid: int) -> float:
    return max(c.memory_info().rss for c in psutil.Process(pid).children(recursive=True)) / 2**20


def stub(count: int, pages: int) -> dict[str, Any]:
    """Precomputed scores, and the listing of what they made."""
    with server(LABELWRIGHT_PLUGINS='["stub_classifier"]') as session:
        _concepts(session, [*CONCEPTS, *(f"own-{c}" for c in CONCEPTS)])
        model = resources_pb2.Model(id="scores", model_type_id="stub-classifier")
        session.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
        annotation_workflow(
            session,
            before=[resources_pb2.WorkflowNode(id="scores", model=resources_pb2.Model(id="scores"))],
            classifier="scores",
            relations={f"own-{c}": (c, "") for c in CONCEPTS},
        )
        inputs = [
            resources_pb2.Input(data=resources_pb2.Data(text=resources_pb2.Text(raw=f"text number {i}")))
            for i in range(count)
        ]
        _post(session, inputs[:256])
        session.wait(256, 60)
        started = time.perf_counter()
        _post(session, inputs[256 : count // 3])
        session.wait(count // 3, 600)
        early = _children_mb(session.pid)
        middle = time.perf_counter()
        _post(session, inputs[count // 3 :])
        posted = time.perf_counter()
        ended = session.wait(count, 600)
        late = _children_mb(session.pid)
        listing = _listing(session, pages)
    return {
        "inputs": count - 256,
        "inputs_per_s": round((count - count // 3) / (ended - middle)),
        "inputs_per_s_with_pause": round((count - 256) / (ended - started)),
        "posted_per_s": round((count - count // 3) / (posted - middle)),
        "largest_process_mb_after_a_third": round(early, 1),
        "largest_process_mb_at_the_end": round(late, 1),
        "listing": listing,
    }


def _listing(session: Session, pages: int) -> dict[str, float]:
    def page(number: int) -> float:
        request = service_pb2.ListAnnotationsRequest(page=number, per_page=128, list_all_annotations=True)
        started = time.perf_counter()
        reply = session.call("ListAnnotations", request)
        seconds = time.perf_counter() - started
        if len(reply.annotations) != 128:
            raise SystemExit(f"page {number} has {len(reply.annotations)} annotations; add more inputs")
        return seconds

    page(1)
    first = statistics.median(page(1) for _ in range(15))
    deep = statistics.median(page(pages) for _ in range(15))
    return {
        "page_1_ms": round(first * 1e3, 2),
        f"page_{pages}_ms": round(deep * 1e3, 2),
        "ratio": round(deep / first, 2),
    }


def photos(count: int) -> list[bytes]:
    """Real photos as JPEG, each a little different, so that none is the other's duplicate."""
    images = [getattr(skimage.data, n)() for n in ("astronaut", "camera", "coffee", "chelsea", "rocket", "coins")]
    images += list(sklearn.datasets.load_sample_images().images)
    files = []
    for i in range(count):
        image = np.ascontiguousarray(images[i % len(images)]).copy()
        image[: 4 + i // len(images), 0] = 0
        buffer = io.BytesIO()
        Image.fromarray(image).convert("RGB").save(buffer, "JPEG", quality=92)
        files.append(buffer.getvalue())
    return files


def _bare(files: list[bytes]) -> float:
    """Seconds that decoding and the three models take by themselves, one image after the other."""
    started = time.perf_counter()
    for data in files:
        image = decode_image(data, max_pixels=10**8, target=1024)
        people_score(detect_faces(image))
        assign(describe([image]))
    return time.perf_counter() - started


def models(count: int) -> dict[str, Any]:
    """The built-in models in the server, and bare."""
    files = photos(count)
    cv2.setNumThreads(2)
    _bare(files[:8])
    with server() as session:
        _concepts(session, ["people"])

        def node(node_id: str, model_id: str) -> resources_pb2.WorkflowNode:
            model = resources_pb2.Model(id=model_id, user_id="clarifai", app_id="main")
            return resources_pb2.WorkflowNode(id=node_id, model=model)

        annotation_workflow(
            session,
            before=[
                node("embed", "general-image-embedding"),
                node("concepts", "general-image-recognition"),
                node("cluster", "general-clusterering"),
            ],
            classifier="concepts",
            relations={"people": ("ai_l8TKp2h5", "main")},
        )
        made = [resources_pb2.Input(data=resources_pb2.Data(image=resources_pb2.Image(base64=data))) for data in files]
        _post(session, made[:8])
        session.wait(8, 120)
        # Bare, served, bare: what the machine does beside changes, and both sides shall see it.
        before = _bare(files[8:])
        started = time.perf_counter()
        _post(session, made[8:])
        served = session.wait(count, 900) - started
        after = _bare(files[8:])
    bare = (before + after) / 2
    return {
        "photos": count - 8,
        "bare_per_s": round((count - 8) / bare, 2),
        "bare_spread": round(abs(before - after) / bare, 3),
        "served_per_s": round((count - 8) / served, 2),
        "ratio": round(bare / served, 3),
    }


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=45_000, help="texts with precomputed scores")
    parser.add_argument("--photos", type=int, default=200, help="photos through the built-in models")
    parser.add_argument("--page", type=int, default=500, help="the deep page of 128 annotations")
    options = parser.parse_args()
    result = {
        "benchmark": Path(__file__).name,
        "stub": stub(options.inputs, options.page),
        "models": models(options.photos),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
