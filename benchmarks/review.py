"""The review pages: from a key press to the next item on the screen, verdicts a second, a page of 100 items.

    python benchmarks/review.py [--pending 10000] [--presses 200] [--verdicts 1000]
                                [--annotations 1000000] [--waiting 0.1]

Prints JSON. The key press is measured in Chromium (found on PATH, or named by LABELWRIGHT_CHROMIUM): from its event to
the second animation frame after it, by when the frame with the next item has been handed to the screen (``painted``);
and to the first one (``next_frame``), before which all of ours is done. Images are 320 x 240. Verdicts are single
calls over HTTP on kept connections, one after another (``p50_ms``) and from 4 threads (``per_s``). The page of 100 is
``review/take`` of the grid's mode, each time by another tab. ``--annotations 0`` leaves out the last part, which loads
as many annotations into the store first, a tenth of them to wait for a person; ``server`` is what the server says
it took, ``whole`` what the client waited.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import shutil
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.status import status_pb2
from PIL import Image
from playwright.sync_api import sync_playwright
from servers import TOKEN, USER, Session, server
from sqlalchemy import select

from labelwright.config import load
from labelwright.store import annotations as stored
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept
from labelwright.store.engine import Store

THREADS = 4
BATCH = 128
PENDING, SUCCESS = 24151, 24150
PATH = f"/ui/api/{USER}/bench/"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

WATCH = """() => {
  window.measured = [];
  addEventListener('keydown', (event) => {
    const at = performance.now(), before = document.querySelector('#rv-edit').href;
    requestAnimationFrame((frame) => {
      const first = performance.now(), changed = document.querySelector('#rv-edit').href !== before;
      const image = document.querySelector('.stage-picture');
      requestAnimationFrame(() => window.measured.push(
        {painted: performance.now() - at, next: first - at, changed,
         ready: Boolean(image?.complete && image.naturalWidth)}));
    });
  }, {capture: true});
}"""


def quantiles(times: list[float]) -> dict[str, float]:
    """p50 and p95 of milliseconds."""
    cuts = statistics.quantiles(times, n=20)
    return {"p50_ms": round(statistics.median(times), 2), "p95_ms": round(cuts[18], 2)}


def picture(n: int) -> bytes:
    """A small image with something in it."""
    out = io.BytesIO()
    image = Image.effect_noise((320, 240), 40).convert("RGB")
    tint = Image.new("RGB", image.size, ((37 * n) % 256, (91 * n) % 256, (53 * n) % 256))
    Image.blend(image, tint, 0.6).save(out, "JPEG", quality=80)
    return out.getvalue()


def add_pending(session: Session, n: int) -> None:
    """``n`` images, each with a concept that waits."""
    pictures = [picture(i) for i in range(64)]

    def add(start: int) -> None:
        ids = [f"image-{i}" for i in range(start, min(n, start + BATCH))]
        inputs = [
            resources_pb2.Input(id=id_, data=resources_pb2.Data(image=resources_pb2.Image(base64=pictures[i % 64])))
            for i, id_ in enumerate(ids, start)
        ]
        session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
        add_annotations(session, ids, "dog")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(add, range(0, n, BATCH)))


def add_annotations(session: Session, inputs: list[str], concept: str) -> None:
    """An annotation that waits for each of some inputs."""
    made = [
        resources_pb2.Annotation(
            input_id=id_,
            status=status_pb2.Status(code=PENDING),
            data=resources_pb2.Data(concepts=[resources_pb2.Concept(id=concept, value=(i * 37 % 1000) / 1000)]),
        )
        for i, id_ in enumerate(inputs)
    ]
    session.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=made))


def add_many(session: Session, n: int, waiting: float) -> float:
    """``n`` annotations on texts, 100 on each, of which a part waits; returns the seconds it took.

    They go past the API, into the server's store: through it a million takes minutes.
    """
    ids = [f"text-{i}" for i in range(max(1, n // 100))]
    started = time.perf_counter()
    for start in range(0, len(ids), BATCH):
        inputs = [
            resources_pb2.Input(id=id_, data=resources_pb2.Data(text=resources_pb2.Text(raw=f"text {id_}")))
            for id_ in ids[start : start + BATCH]
        ]
        session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
    concepts = [resources_pb2.Concept(id=f"concept-{k}") for k in range(100)]
    session.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=concepts))
    store = Store(load(home=session.home).store_url)
    chance = random.Random(1)
    with store.read() as conn:
        app = conn.execute(select(t.apps.c.pk).where(t.apps.c.id == "bench")).scalar_one()
        rows = conn.execute(select(t.inputs.c.id, t.inputs.c.pk).where(t.inputs.c.app == app))
        keys = {row.id: row.pk for row in rows}
        rows = conn.execute(select(t.concepts.c.id, t.concepts.c.pk).where(t.concepts.c.app == app))
        about = [row.pk for row in rows if row.id.startswith("concept-")]
    for start in range(0, len(ids), 100):
        made = [
            NewAnnotation(
                input=keys[id_],
                user_id=USER,
                status_code=PENDING if chance.random() < waiting else SUCCESS,
                origin=t.MODEL,
                wire=b"",
                concepts=[NewConcept(concept, score, score)],
            )
            for id_ in ids[start : start + 100]
            for concept in about
            for score in (chance.random(),)
        ]
        with store.write() as conn:
            stored.add(conn, app, made)
    store.close()
    return time.perf_counter() - started


class Caller:
    """Calls the pages' endpoints on a connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self.server_ms = 0.0
        self._headers = {"Authorization": f"Key {TOKEN}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST to an endpoint; anything but success ends the benchmark."""
        self._connection.request("POST", PATH + path, json.dumps(body), self._headers)
        reply = self._connection.getresponse()
        text = reply.read()
        self.server_ms = float(reply.headers["server-timing"].partition("dur=")[2])
        if reply.status != 200:
            raise SystemExit(f"{path}: {reply.status} {text[:300]!r}")
        return json.loads(text)


def key_press(port: int, presses: int) -> dict[str, Any]:
    """From the key to the next item on the screen, in a real browser."""
    chromium = os.environ.get("LABELWRIGHT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        return {"skipped": "no Chromium was found"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_context(base_url=f"http://127.0.0.1:{port}").new_page()
        page.goto("/login")
        page.fill("#token", TOKEN)
        page.press("#token", "Enter")
        page.wait_for_url("**/apps**")
        page.goto(f"/apps/{USER}/bench/review")
        page.wait_for_selector("#rv[data-state=asking]")
        page.wait_for_timeout(3000)
        page.evaluate(WATCH)
        for i in range(presses + 10):
            page.keyboard.press("ax"[i % 2])
            # Faster than anybody decides: more than six a second.
            page.wait_for_timeout(150)
        measured = page.evaluate("window.measured")[10:]
        browser.close()
    return {
        "painted": quantiles([m["painted"] for m in measured]),
        "next_frame": quantiles([m["next"] for m in measured]),
        "presses": len(measured),
        "next_item_was_there": sum(m["changed"] and m["ready"] for m in measured),
    }


def verdicts(port: int, n: int) -> dict[str, Any]:
    """Single verdicts over HTTP."""
    caller = Caller(port)
    items: list[dict[str, Any]] = []
    while len(items) < 2 * n:
        seen = [item["item"] for item in items[-500:]]
        got = caller.post("review/take", {"tab": f"v{len(items)}", "mode": "grid", "n": 200, "exclude": seen})["items"]
        if not got:
            break
        items += got
    half = len(items) // 2

    def decide(by: Caller, item: dict[str, Any]) -> float:
        body = {"item": item["item"], "concept_id": item["concept"]["id"], "verdict": "accept"}
        started = time.perf_counter()
        reply = by.post("review/verdicts", {"tab": "v", "action": f"bench-{item['item']}", "verdicts": [body]})
        took = 1000 * (time.perf_counter() - started)
        if reply["results"][0]["state"] != "done":
            raise SystemExit(str(reply))
        return took

    one = [decide(caller, item) for item in items[:half]]
    local = threading.local()

    def work(item: dict[str, Any]) -> None:
        if not hasattr(local, "caller"):
            local.caller = Caller(port)
        decide(local.caller, item)

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, items[half:]))
    return {**quantiles(one), "per_s": round((len(items) - half) / (time.perf_counter() - started)), "n": len(items)}


def pages(port: int, n: int = 30) -> dict[str, Any]:
    """Pages of 100 items, each for another tab."""
    caller = Caller(port)
    found: dict[str, Any] = {}
    for order in ("uncertain", "confident", "random"):
        times, server_times = [], []
        for i in range(n):
            tab = f"{order}-{i}"
            started = time.perf_counter()
            reply = caller.post("review/take", {"tab": tab, "mode": "grid", "n": 100, "order": order})
            times.append(1000 * (time.perf_counter() - started))
            server_times.append(caller.server_ms)
            if len(reply["items"]) != 100:
                raise SystemExit(f"{len(reply['items'])} items instead of 100")
            caller.post("review/release", {"tab": tab})
        found[order] = {"server": quantiles(server_times), "whole": quantiles(times)}
    return found


def main() -> None:
    """Measure, the browser first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pending", type=int, default=10_000, help="images that wait")
    parser.add_argument("--presses", type=int, default=200, help="key presses")
    parser.add_argument("--verdicts", type=int, default=1000, help="verdicts, each way")
    parser.add_argument("--annotations", type=int, default=1_000_000, help="annotations for the page of 100")
    parser.add_argument("--waiting", type=float, default=0.1, help="which part of those waits, 0 to 1")
    options = parser.parse_args()
    result: dict[str, Any] = {"benchmark": Path(__file__).name, "pending": options.pending, "threads": THREADS}
    with server(workers=0) as session:
        add_pending(session, options.pending)
        result["key_press"] = key_press(session.port, options.presses)
        result["verdicts"] = verdicts(session.port, options.verdicts)
        if options.annotations:
            loaded = add_many(session, options.annotations, options.waiting)
            result["page_of_100"] = {
                "annotations": options.annotations,
                "waiting": options.waiting,
                "loaded_s": round(loaded),
                **pages(session.port),
            }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
