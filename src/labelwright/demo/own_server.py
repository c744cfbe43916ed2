"""A Labelwright server of the demo's own: a process with a temporary home, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labelwright.errors import LabelwrightError
from labelwright.ids import new_id, new_token

START_LIMIT = 90.0
"""Seconds that the server may take to start: 4 on two idle cores."""
STOP_LIMIT = 10.0
"""Seconds that the server promises to end within, once told."""
LOG_LINES = 20

_ADDRESS = re.compile(r"gRPC and HTTP\s+http://127\.0\.0\.1:(\d+)")


class DemoFailed(LabelwrightError):
    """The demo could not go on."""


@dataclass
class OwnServer:
    """A running server."""

    port: int
    user_id: str
    token: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises:
        DemoFailed: the server has died; shows the last lines of its log.
        """
        if (code := self.process.poll()) is not None:
            raise DemoFailed(f"the server ended by itself (exit code {code}); its last lines:\n{self.last_lines()}")

    def last_lines(self) -> str:
        """The end of the server's log."""
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])


@contextmanager
def own_server(user_id: str = "") -> Iterator[OwnServer]:
    """Start a server on a free port of the loopback address, and wait until it serves; stop it afterwards.

    Args:
        user_id: whose it is; "" for a name that nobody has.

    Raises:
        DemoFailed: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="labelwright-demo-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "serve.log")
        user_id, token = user_id or f"demo-{new_id()[-8:]}", new_token()
        with log.open("wb") as out:
            # A session of its own: Ctrl-C reaches this process alone, which then stops the server in order.
            process = subprocess.Popen(  # noqa: S603 (nothing in it comes from outside)
                _command(Path(folder, "home")),
                env=_environment(user_id, token),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        server = OwnServer(0, user_id, token, process, log)
        try:
            _wait_until_serving(server)
            yield server
        finally:
            _stop(process)


def _command(home: Path) -> list[str]:
    # -P: no module in the folder the user stands in may pass for one of ours.
    start = [sys.executable, "-P", "-m", "labelwright", "serve"]
    return [*start, "--home", str(home), "--listen", "127.0.0.1:0"]


def _environment(user_id: str, token: str) -> dict[str, str]:
    # The user's own settings stay out: with their database_url the demo would write to their store.
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("LABELWRIGHT_")}
    return {
        **kept,
        "LABELWRIGHT_USER_ID": user_id,
        "LABELWRIGHT_PAT": token,
        # The photos are served from the loopback address.
        "LABELWRIGHT_ALLOW_PRIVATE_URLS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def _wait_until_serving(server: OwnServer) -> None:
    # Past any proxy of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        server.check()
        if not server.port and (found := _ADDRESS.search(server.log.read_text("utf-8", "replace"))):
            server.port = int(found[1])
        if server.port:
            with (
                contextlib.suppress(OSError, urllib.error.URLError),
                opener.open(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as reply,
            ):
                if reply.status == 200:
                    return
        time.sleep(0.05)
    raise DemoFailed(f"the server did not start within {START_LIMIT:g} seconds; its last lines:\n{server.last_lines()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it started, whatever it is at."""
    process.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_LIMIT)
    finally:
        # What of its session is left after that: the server itself, or workers that it lost.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
