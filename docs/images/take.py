"""Take the pictures of the pages that stand in the documents.

    python docs/images/take.py [FOLDER]

A server of its own, on a home that is gone afterwards; the Chromium that is found on PATH, or named by
LABELWRIGHT_CHROMIUM. The first app is what "Load the demo" makes; the second one is `faces_app`. No label is made up:
the models gave them, and the verdicts are given by the keys of the page, as a person would: that a face is one where
the crop is the astronaut's, and none where it is not.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import faces_app
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from labelwright.demo.own_server import OwnServer, own_server
from labelwright.demo.photos import sample_photos
from labelwright.demo.tutorial import official_client

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"),
)
USER = "owner"
DEMO, FACES = f"/apps/{USER}/auto-annotation", f"/apps/{USER}/{faces_app.APP}"
WIDTH, HEIGHT, PHONE = 1280, 800, 375
MOST = 150_000
"""Bytes of a picture."""
PATIENCE = 120_000.0
VERDICTS, MARKED = 9, 8
PACE = 1500.0
"""Milliseconds for a verdict."""

STILL = """() => !document.querySelector('[aria-busy=true], .spin')
  && [...document.images].every((image) => {
    const box = image.getBoundingClientRect();
    return (image.complete && image.naturalWidth) || box.top > innerHeight || box.bottom < 0 || !box.width;
  })"""


def chromium() -> str:
    """The browser that the machine has."""
    chosen = os.environ.get("LABELWRIGHT_CHROMIUM", "")
    if chosen and not Path(chosen).is_file():
        raise SystemExit(f"LABELWRIGHT_CHROMIUM names {chosen}, and there is no such file")
    found = chosen or next((path for name in NAMES if (path := shutil.which(name))), "")
    if not found:
        raise SystemExit(f"none of {', '.join(NAMES)} is on PATH; install one, or name it with LABELWRIGHT_CHROMIUM")
    return found


def quantised(png: bytes) -> bytes:
    """A PNG with as many colours of its own as fit into `MOST` bytes.

    A third of them are those that are there most often, which are the page's own: averaging alone would give its few
    green pixels to the photos, and leave its buttons grey.
    """
    image = Image.open(io.BytesIO(png)).convert("RGB")
    found, place, n = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-n, kind="stable")
    made = b""
    for colours in (256, 192, 128, 96, 64):
        own, others = np.split(found[order], [colours // 3])
        weighed = np.repeat(others, n[order][colours // 3 :], axis=0)
        if len(weighed):
            mean = Image.fromarray(weighed[None]).quantize(colours - len(own), Image.Quantize.MEDIANCUT)
            own = np.concatenate([own, np.array(mean.getpalette() or [], np.uint8).reshape(-1, 3)])[:colours]
        # Pillow's own search for the nearest colour is approximate, and would turn white into nearly white.
        nearest = np.concatenate([_nearest(some, own) for some in np.array_split(found, 1 + len(found) // 20_000)])
        numbers = nearest[place.ravel()].reshape(image.height, image.width)
        reduced = Image.fromarray(numbers)
        reduced.putpalette(own.ravel().tolist())
        out = io.BytesIO()
        reduced.save(out, "PNG", optimize=True)
        made = out.getvalue()
        if len(made) <= MOST:
            break
    return made


def _nearest(colours: NDArray[np.uint8], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The number of the palette's nearest colour, for each of some."""
    apart = colours[:, None].astype(np.float32) - palette[None].astype(np.float32)
    found: NDArray[np.uint8] = np.argmin((apart**2).sum(axis=2), axis=1).astype(np.uint8)
    return found


class Camera:
    """A page of somebody who is signed in, and the folder for its pictures."""

    def __init__(self, browser: Browser, server: OwnServer, folder: Path, *, width: int = WIDTH, dark: bool = False):
        self._folder = folder
        context = browser.new_context(
            base_url=f"http://127.0.0.1:{server.port}",
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            device_scale_factor=1,
            locale="en-GB",
        )
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.page.goto("/login")
        self.page.fill("#token", server.token)
        self.page.press("#token", "Enter")
        self.page.wait_for_url("**/apps**")

    def take(self, name: str, path: str = "", ready: Callable[[Page], object] | None = None) -> None:
        """A picture of a path's page, or of the one that is there, once it stands still."""
        if path:
            self.page.goto(path)
        if ready is not None:
            ready(self.page)
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_function(STILL)
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        png = quantised(self.page.screenshot(animations="disabled", caret="hide"))
        (self._folder / f"{name}.png").write_bytes(png)
        print(f"{name}.png: {len(png) / 1000:.0f} kB", flush=True)

    def close(self) -> None:
        self.page.context.close()


def asked(page: Page) -> None:
    """Wait until the page asks for a verdict."""
    page.wait_for_selector("#rv[data-state=asking]")


def load_demo(page: Page) -> None:
    page.click("#demo")
    page.wait_for_url(f"**{DEMO}")


def decide(page: Page) -> None:
    """The first verdicts, by key, at a person's pace."""
    asked(page)
    for n in range(VERDICTS):
        page.wait_for_timeout(PACE)
        at = page.get_attribute("#rv-edit", "href") or ""
        page.keyboard.press("a" if "/astronaut-" in at else "x")
        expect(page.locator(".rv-done")).to_have_count(n + 1, timeout=PATIENCE)
    expect(page.locator("#rv-net")).to_have_attribute("data-state", "saved", timeout=PATIENCE)


def mark(page: Page) -> None:
    """Some cells of the grid, by key: accepted and rejected, not yet committed."""
    page.wait_for_selector(".rv-cell canvas")
    cells = page.locator(".rv-cell")
    for n in range(min(MARKED, cells.count())):
        cells.nth(n).click()
        page.keyboard.press("a" if "astronaut" in cells.nth(n).evaluate("(cell) => cell.entry.input.id") else "x")


def to_scores(page: Page) -> None:
    page.wait_for_selector("svg.histogram")
    page.locator("#scores").evaluate("(scores) => scores.scrollIntoView({ block: 'end' })")


def add(page: Page) -> None:
    """Some photos, dropped onto the page."""
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    page.set_input_files("#files", [photo.path for photo in sample_photos().photos if photo.name in names])
    expect(page.locator("#tiles .tile[data-stage=done]")).to_have_count(len(names), timeout=PATIENCE)


def main() -> None:
    """Make the apps, and take a picture of each page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    path = chromium()
    with own_server(USER) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        desk = Camera(browser, server, folder)
        print("the demo's photos …", flush=True)
        desk.take("first", "/apps")
        load_demo(desk.page)
        print("crops of them, and the faces that are found …", flush=True)
        with official_client(server.port) as stub:
            client = faces_app.Client(stub, server)
            faces_app.make_app(client, USER)
            print(f"{faces_app.add_crops(client)} crops", flush=True)
        desk.page.goto(f"{FACES}/review")
        decide(desk.page)
        desk.take("review", ready=asked)
        desk.take("grid", f"{FACES}/review/grid?min=0.13", mark)
        desk.take("apps", "/apps")
        desk.take("overview", FACES)
        desk.take("inputs", f"{DEMO}/inputs")
        desk.take("input", f"{FACES}/inputs/astronaut-001")
        desk.take("concepts", f"{DEMO}/concepts", lambda page: page.get_by_text("people", exact=True).first.click())
        desk.take("workflow", f"{FACES}/workflow", lambda page: page.wait_for_selector("svg.histogram"))
        desk.take("scores", ready=to_scores)
        desk.take("runs", f"{FACES}/runs")
        desk.take("add", f"{DEMO}/add", add)
        desk.close()
        night = Camera(browser, server, folder, dark=True)
        night.take("review-dark", f"{FACES}/review", asked)
        night.close()
        phone = Camera(browser, server, folder, width=PHONE)
        phone.take("review-phone", f"{FACES}/review", asked)
        phone.close()
        browser.close()


if __name__ == "__main__":
    main()
