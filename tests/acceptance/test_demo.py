"""``labelwright demo`` as a user runs it."""

from __future__ import annotations

import importlib.resources
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo's temporary folders go."""
    folder = tmp_path / "t"
    folder.mkdir()
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A face, coins that a detector takes for one, a broken file, and one of another format."""
    folder = tmp_path / "photos"
    (folder / "deeper").mkdir(parents=True)
    data = Path(str(importlib.resources.files("skimage.data")))
    shutil.copy(data / "astronaut.png", folder / "astronaut.png")
    shutil.copy(data / "coins.png", folder / "deeper" / "[red]coins.png")
    shutil.copy(data / "coffee.png", folder / "z.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (folder / "x.heic").touch()
    return folder


def start(temporary: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "labelwright", "demo", *arguments],
        env={**os.environ, "TMPDIR": str(temporary), "COLUMNS": "120", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def assert_nothing_left(temporary: Path) -> None:
    assert [path.name for path in temporary.iterdir() if path.name.startswith("labelwright")] == []
    at_work = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary) and process.status() != psutil.STATUS_ZOMBIE:
                at_work.append(process.cmdline())
        except psutil.Error:
            continue
    assert at_work == []


def row(output: str, photo: str) -> list[str]:
    """The cells of a photo's row in the last table."""
    table = output[output.rindex("outcome") :]
    line = next(line for line in table.splitlines() if line.startswith(photo))
    return re.split(r"\s{2,}", line.strip())


def test_the_demo_labels_photos_and_leaves_a_report(temporary: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "deep"
    # A store of the user's own that must not be reached, and a proxy that must not be asked.
    demo = start(
        temporary,
        *("--photos", str(photos), "--out", str(out)),
        LABELWRIGHT_DATABASE_URL="postgresql://nowhere.invalid/precious",
        LABELWRIGHT_LISTEN="nonsense",
        http_proxy="http://127.0.0.1:9",
    )
    output, errors = demo.communicate(timeout=170)
    assert (demo.returncode, errors) == (0, ""), output

    assert "4 photos; 1 pictures of formats that the server does not read are left out" in output
    titles = re.findall(r"^ ?\d+  (\w[\w ]*?)  +", output, re.MULTILINE)
    assert titles[:3] == ["App", "Concepts", "Relations"]
    assert titles[-3:] == ["Label", "List annotations", "Faces"]
    assert "astronaut.png: people 0.9" in output
    assert "3 done, 1 failed" in output
    assert "2 annotations" in output

    _, concept, score, outcome = row(output, "astronaut.png")
    assert (concept, outcome) == ("people", "labelled")
    assert float(score) >= 0.5
    _, concept, score, outcome = row(output, "deeper/[red]coins.png")
    assert (concept, outcome) == ("people", "waiting for a person")
    assert 0.05 <= float(score) < 0.5
    assert row(output, "z.png") == ["z.png", "nothing seen"]
    _, outcome = row(output, "broken.jpg")
    assert outcome.startswith("failed: ")
    assert "1 labelled, 1 waiting for a person, 1 with nothing seen, 1 failed" in output
    assert "faces that look towards the camera" in output
    assert f"The report: {out / 'report.html'}" in output

    report = (out / "report.html").read_text("utf-8")
    assert report.count('<article class="card ') == 4
    assert report.count("data:image/jpeg;base64,") == 3
    assert "deeper/[red]coins.png" in report
    assert '<span class="badge failed">failed</span>' in report
    assert "people 0.5, man 0.5, adult 0.95" in report
    # The detector's boxes, on the two photos that it saw something on.
    assert len(re.findall(r'<rect x="[\d.]+%"', report)) >= 2
    assert [path.name for path in out.iterdir()] == ["report.html"]
    assert_nothing_left(temporary)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_demo_that_is_stopped_leaves_nothing(
    temporary: Path, photos: Path, tmp_path: Path, number: signal.Signals
) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, and so by what is started from here")
    demo = start(temporary, "--photos", str(photos), "--out", str(tmp_path / "out"))
    while not list(temporary.glob("labelwright-demo-*/home/labelwright.db")):
        assert demo.poll() is None, demo.communicate()
        time.sleep(0.02)
    demo.send_signal(number)
    output, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors) == (128 + number, ""), output
    assert "Stopped; the demo's server and its data are gone." in output
    assert not (tmp_path / "out" / "report.html").exists()
    assert_nothing_left(temporary)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--photos", "{tmp}/nothing"], r"labelwright: .*/nothing is not a folder"),
        (["--photos", "{tmp}/t"], r"labelwright: found no photo in .*: jpg, "),
        (["--photos", "{tmp}/photos", "--out", "{tmp}/photos/z.png"], r"labelwright: the folder .* can't be made"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    temporary: Path, photos: Path, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    demo = start(temporary, *(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    output, errors = demo.communicate(timeout=60)
    assert demo.returncode == 1, output
    assert re.fullmatch(problem + r".*\n", errors), errors
    assert_nothing_left(temporary)
