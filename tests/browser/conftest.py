"""A real server, a real browser, and somebody who is signed in."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from labelwright.demo.photos import sample_photos
from labelwright.errors import ConfigurationError
from labelwright.ids import new_id
from tests.acceptance.conftest import TOKEN, USER, Running, Session

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Read now: no setting of whoever runs the tests is left in the environment while they run.
CHOSEN = os.environ.get("LABELWRIGHT_CHROMIUM", "")
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
PATIENCE = 60_000.0
"""Milliseconds that anything may take to appear: a busy machine is slow, and nothing is measured here."""
expect.set_options(timeout=PATIENCE)


def chromium() -> str:
    """The browser that the machine has; "" for none."""
    if CHOSEN:
        return CHOSEN if Path(CHOSEN).is_file() else ""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


# Of the package, not of the session: Playwright's loop must not be running when other tests start theirs.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    found = chromium()
    if not found:
        pytest.skip(
            f"no Chromium at {CHOSEN} (LABELWRIGHT_CHROMIUM)"
            if CHOSEN
            else f"none of {', '.join(NAMES)} is on PATH; install one, or name it with LABELWRIGHT_CHROMIUM"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield opened
        opened.close()


def start_server(home: Path, **env: str) -> Running:
    """A server with an annotator, whose settings are ours alone."""
    mine = {name: value for name, value in os.environ.items() if name.startswith("LABELWRIGHT_")}
    for name in mine:
        del os.environ[name]
    try:
        return Running(home, env={"LABELWRIGHT_WORKERS": "1", **env}).start()
    finally:
        os.environ.update(mine)


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all of these tests; each makes an app of its own."""
    server = start_server(tmp_path_factory.mktemp("served") / "home")
    yield server
    server.close()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Running]:
    """A server that a test may stop and start again."""
    server = start_server(tmp_path / "own")
    yield server
    server.close()


def address(server: Running) -> str:
    """What the addresses of its pages begin with."""
    return f"http://127.0.0.1:{server.port}"


# --- apps ------------------------------------------------------------------------------------------


@pytest.fixture
def api(served: Running) -> Session:
    """The official client in a fresh app without a workflow."""
    session = served.client(f"app-{new_id()[-10:]}")
    session.make_app()
    return session


@pytest.fixture
def odd_app(served: Running) -> Session:
    """The official client in a fresh app whose workflow scores texts: at once, and as the text says."""
    session = served.client(f"odd-{new_id()[-10:]}")
    session.make_app()
    session.odd_workflow(suffix=f"-{new_id()[-8:]}")
    return session


def photos() -> list[Path]:
    """The demo's photos."""
    try:
        return [photo.path for photo in sample_photos().photos]
    except ConfigurationError as e:
        pytest.skip(str(e))


@pytest.fixture(scope="package")
def photo_app(served: Running) -> Session:
    """The official client in an app with the demo's photos, without labels; to be read alone."""
    session = served.client("photos")
    session.make_app()
    inputs = [
        resources_pb2.Input(id=path.stem, data=resources_pb2.Data(image=resources_pb2.Image(base64=path.read_bytes())))
        for path in photos()
    ]
    session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
    session.settle()
    return session


def app_path(session: Session, path: str = "") -> str:
    """The path of a page of an app."""
    return f"/apps/{USER}/{session.app}" + (f"/{path}" if path else "")


# --- people ----------------------------------------------------------------------------------------


@dataclass
class People:
    """Opens pages; what goes wrong in them unseen is a failure of the test."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    """Parts of messages that a test expects in the console."""

    def open(self, server: Running, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """A page of a browser of its own: nobody is signed in."""
        context = self.browser.new_context(
            base_url=address(server),
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._note(page.url, said))
        return page

    def _note(self, url: str, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.problems.append(f"{url}: {said.text}")

    def signed_in(
        self, server: Running, token: str = TOKEN, *, width: int = 1280, height: int = 800, dark: bool = False
    ) -> Page:
        """A page of somebody who has signed in."""
        page = self.open(server, width=width, height=height, dark=dark)
        page.goto("/login")
        page.fill("#token", token)
        page.press("#token", "Enter")
        page.wait_for_url("**/apps**")
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        # Whether a server is there is the test's business: some stop theirs on purpose.
        ignored = ("net::ERR_", *self.ignored)
        left = [p for p in self.problems if not any(part in p for part in ignored)]
        assert left == []


@pytest.fixture
def people(browser: Browser) -> Iterator[People]:
    """Opens pages, for tests with several people or none who is signed in."""
    made = People(browser)
    yield made
    made.close()


@pytest.fixture
def page(people: People, served: Running) -> Page:
    """A page of the owner, who is signed in."""
    return people.signed_in(served)


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE / 1000) -> None:
    """Wait for what no element shows."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
