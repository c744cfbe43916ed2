"""The demo's own server: what happens when it does not do as it should; and the photos at URLs."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from labelwright.demo import own_server
from labelwright.demo.own_server import DemoFailed
from labelwright.demo.photo_server import photo_urls
from labelwright.demo.photos import Photo


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders go."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def pretend(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(own_server, "_command", lambda home: [sys.executable, "-c", code, str(home)])


def test_a_server_that_dies_shows_its_last_lines(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "import sys; [print('line', i) for i in range(99)]; sys.exit('no luck')")
    with pytest.raises(DemoFailed, match=r"(?s)exit code 1.*line 98\nno luck") as caught, own_server.own_server():
        pytest.fail("it never served")
    assert "line 79" not in str(caught.value)
    assert list(temporary.iterdir()) == []


def test_a_server_that_will_not_end_is_killed_with_its_children(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    pretend(
        monkeypatch,
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}]); "
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}.'); time.sleep(600)",
    )

    def wait(server: own_server.OwnServer) -> None:
        while not (pids.exists() and pids.read_text().endswith(".")):
            server.check()
            time.sleep(0.02)
        raise DemoFailed("it never serves")

    monkeypatch.setattr(own_server, "_wait_until_serving", wait)
    monkeypatch.setattr(own_server, "STOP_LIMIT", 0.2)
    with pytest.raises(DemoFailed, match="it never serves"), own_server.own_server():
        pytest.fail("it never served")
    for pid in pids.read_text().removesuffix(".").split():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(pid))
            # A child that was killed may stay a zombie where nothing reaps orphans.
            while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
    assert list(temporary.iterdir()) == []


def test_a_server_that_does_not_serve_is_given_up(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "import time; print('thinking', flush=True); time.sleep(600)")
    monkeypatch.setattr(own_server, "START_LIMIT", 0.5)
    with pytest.raises(DemoFailed, match=r"did not start within 0\.5 seconds"), own_server.own_server():
        pytest.fail("it never served")
    assert list(temporary.iterdir()) == []


def test_the_users_own_settings_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELWRIGHT_DATABASE_URL", "postgresql://precious")
    monkeypatch.setenv("LABELWRIGHT_PAT", "precious")
    monkeypatch.setenv("ELSE", "kept")
    environment = own_server._environment("me", "secret")
    assert environment["ELSE"] == "kept"
    assert environment["LABELWRIGHT_PAT"] == "secret"
    assert {name for name in environment if name.startswith("LABELWRIGHT_")} == {
        "LABELWRIGHT_PAT",
        "LABELWRIGHT_USER_ID",
        "LABELWRIGHT_ALLOW_PRIVATE_URLS",
    }
    assert os.environ["LABELWRIGHT_PAT"] == "precious"


def test_photos_are_served_at_their_urls_alone(tmp_path: Path) -> None:
    photos = []
    for name in ("a.png", "b ?#%.JPG"):
        (tmp_path / name).write_bytes(name.encode())
        photos.append(Photo(name, tmp_path / name))
    photos.append(Photo("gone.png", tmp_path / "gone.png"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with photo_urls(photos) as urls:
        for photo, url in zip(photos[:2], urls, strict=False):
            with opener.open(url, timeout=10) as reply:
                assert reply.read() == photo.name.encode()
        root = urls[0].rsplit("/", 2)[0]
        for wrong in (urls[2], root, f"{root}/../../etc/passwd", f"{urls[0]}/x"):
            with pytest.raises(urllib.error.HTTPError, match="404") as caught:
                opener.open(wrong, timeout=10)
            caught.value.close()
