"""One real server for all official clients, photos on a web server of the loopback address, and how a client is run.

A client's program stands in a file of its own, below `scripts` or `node`, written as a user would write it. It is
run by that client's own interpreter, and the last line that it prints is a JSON object: what it saw, which the test
then looks at.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from PIL import Image

from tests.acceptance.conftest import TOKEN, USER, Running

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / os.environ.get("CLIENTS_VENV", ".venv-clients") / "bin" / "python"
MODULES = HERE / "node" / "node_modules"
PHOTOS = ("astronaut", "coffee", "rocket", "chelsea")
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: a client that looks beyond the loopback address fails at once."""

Run = Callable[..., Any]


@dataclass(frozen=True)
class Place:
    """Where a client finds the server, and what it may send."""

    base: str
    """Of the server, such as http://127.0.0.1:8080; gRPC and HTTP alike."""
    folder: Path
    """With photos, ``<name>.jpg``."""
    photos: str
    """The same folder as a URL."""
    running: Running

    @property
    def address(self) -> str:
        return self.base.removeprefix("http://")

    def photo(self, name: str) -> bytes:
        return (self.folder / f"{name}.jpg").read_bytes()

    def environment(self) -> dict[str, str]:
        """What the clients read themselves, and what our programs do; nothing of whoever runs the tests."""
        kept = {k: v for k, v in os.environ.items() if not k.upper().startswith(("CLARIFAI_", "PYTHON"))}
        return {
            **{k: v for k, v in kept.items() if not k.lower().endswith("_proxy")},
            "CLARIFAI_USER_ID": USER,
            "CLARIFAI_PAT": TOKEN,
            "CLARIFAI_API_BASE": self.base,
            "PHOTOS_URL": self.photos,
            "PHOTOS_FOLDER": str(self.folder),
            "HOME": str(self.folder.parent),
            "HTTP_PROXY": NOWHERE,
            "HTTPS_PROXY": NOWHERE,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def run(self, command: list[str], folder: Path = HERE) -> Any:
        """What a client's program saw."""
        ran = subprocess.run(
            command, cwd=folder, env=self.environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert ran.returncode == 0, f"{command}:\n{ran.stdout}\n{ran.stderr}\n{self.running.log.read_text()}"
        return json.loads(ran.stdout.splitlines()[-1])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        return


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One server for all; each test has apps of its own."""
    folder = tmp_path_factory.mktemp("clients")
    photos = folder / "photos"
    photos.mkdir()
    for name in PHOTOS:
        buffer = io.BytesIO()
        image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        image.thumbnail((320, 320))
        image.save(buffer, "JPEG", quality=92)
        (photos / f"{name}.jpg").write_bytes(buffer.getvalue())
    running = Running(folder / "home", env={"LABELWRIGHT_ALLOW_PRIVATE_URLS": "1", "LABELWRIGHT_WORKERS": "1"})
    with web_server(photos) as url:
        try:
            running.start()
            yield Place(f"http://127.0.0.1:{running.port}", photos, url, running)
        finally:
            running.close()


@pytest.fixture
def python(place: Place) -> Run:
    """Runs a program below `scripts` with the Python that has the official clients."""
    if not PYTHON.exists():
        pytest.skip("the official Python clients are not installed: run `make clients`")
    return lambda script, *args: place.run([str(PYTHON), str(HERE / "scripts" / script), *args])


@pytest.fixture
def node(place: Place) -> Run:
    """Runs a program below `node`."""
    if shutil.which("node") is None:
        pytest.skip("there is no Node here")
    if not MODULES.is_dir():
        pytest.skip("the official Node clients are not installed: run `make clients`")
    return lambda script, *args: place.run(["node", str(HERE / "node" / script), *args])
