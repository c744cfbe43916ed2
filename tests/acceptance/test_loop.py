"""The loop as a user plays it: the command beside a running server, with a person who labels through the API."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data, Image, Input
from clarifai_grpc.grpc.api.status import status_pb2
from PIL import Image as Picture

from tests.acceptance.conftest import Session, Start

SUCCESS = 24150

Command = Callable[..., subprocess.CompletedProcess[str]]

COLOURS = {"red": (200, 60, 60), "green": (60, 200, 60)}
OPTIONS = (
    *("--app", "app", "--model", "kind", "--concepts", "red,green", "--error", "0.3", "--confidence", "0.8"),
    *("--seed-size", "8", "--verify", "14", "--batch", "6", "--rounds", "1", "--seed", "3"),
)


def add_pictures(session: Session, n: int) -> dict[str, str]:
    """Pictures in one of two colours; id to the colour."""
    rng = np.random.default_rng(1)
    truth, inputs = {}, []
    for k in range(n):
        name = f"p{k:02}"
        truth[name] = list(COLOURS)[k % 2]
        pixels = np.clip(rng.normal(COLOURS[truth[name]], 30, (16, 16, 3)), 0, 255).astype(np.uint8)
        out = io.BytesIO()
        Picture.fromarray(pixels).save(out, "PNG")
        inputs.append(Input(id=name, data=Data(image=Image(base64=out.getvalue()))))
    session.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
    session.settle()
    return truth


def asked(home: Path) -> list[str]:
    """The inputs that people are asked about."""
    query = (
        "SELECT inputs.id FROM drawn_items JOIN inputs ON inputs.pk = drawn_items.input "
        "WHERE drawn_items.answer IS NULL ORDER BY drawn_items.pk"
    )
    with closing(sqlite3.connect(home / "labelwright.db", timeout=30)) as conn:
        return [row[0] for row in conn.execute(query)]


def label(session: Session, truth: dict[str, str], names: list[str]) -> None:
    given = [
        Annotation(
            input_id=name,
            data=Data(concepts=[Concept(id=truth[name], value=1)]),
            status=status_pb2.Status(code=SUCCESS),
        )
        for name in names
    ]
    session.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=given))


def ran(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_loop_is_played_with_people_shown_drawn_and_stopped(
    running: Start, labelwright: Command, tmp_path: Path
) -> None:
    server = running().start()
    session = server.client()
    session.make_app()
    truth = add_pictures(session, 40)

    said = ran(labelwright("loop", "run", *OPTIONS, "--no-wait", home=server.home))
    found = re.search(r"Loop ([0-9a-f]{32}) begins: at most 30 % mistakes", said)
    assert found, said
    assert "The default workflow does not run kind." in said
    assert "It waits for people: 0 of 8 answered; people answer at /apps/tester/app/audit." in said
    label(session, truth, asked(server.home))

    # What is waited for can be left at any time.
    waiting = subprocess.Popen(
        [sys.executable, "-m", "labelwright", "loop", "run", *OPTIONS, "--home", str(server.home)],
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    lines = []
    for line in waiting.stdout:
        lines.append(line)
        if "claims are drawn to be verified" in line:
            break
    waiting.send_signal(signal.SIGINT)
    rest, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, "Stopped. The same command goes on." in rest) == (130, True)
    told = "".join(lines)
    assert f"Loop {found[1]} goes on" in told
    assert "workflow loop-kind is the app's default now" in told

    (one,) = _status(labelwright, server.home)
    assert (one["id"], one["state"], one["step"], one["rounds"]) == (found[1], "running", "wait", [])
    label(session, truth, asked(server.home))
    said = ran(labelwright("loop", "run", *OPTIONS, home=server.home))
    assert "Round 1: 22 human labels (8 taught, 14 verified, 0 reviewed)" in said
    assert "The loop has ended" in said

    (one,) = _status(labelwright, server.home)
    (played,) = one["rounds"]
    assert (one["state"], played["pool"], played["auto"] + played["open"]) == ("done", 40, 18)
    assert played["auto"] > 0
    automatic = [a for a in session.annotations() if a.model_version_id and a.status.code == SUCCESS]
    assert len(automatic) == played["auto"]
    assert all(a.data.concepts[0].id == truth[a.input_id] for a in automatic)
    assert found[1] in ran(labelwright("loop", "status", home=server.home))

    # Its run can be taken back as any other.
    assert "0 put back" in ran(labelwright("undo", played["run"], home=server.home))
    assert not [a for a in session.annotations() if a.model_version_id]

    drawing, page = tmp_path / "loop.svg", tmp_path / "loop.html"
    for file in (drawing, page):
        assert "1 rounds" in ran(labelwright("loop", "plot", found[1][:12], str(file), home=server.home))
    assert ET.parse(drawing).getroot().tag.endswith("svg")
    assert found[1] in page.read_text()

    for args, part in (
        (("plot", found[1], "loop.png"), "neither .svg nor .html"),
        (("plot", "zz", "loop.svg"), "no loop 'zz'"),
        (("run", "--app", "app", "--model", "kind", "--error", "2"), "error is 2.0"),
    ):
        done = labelwright("loop", *args, home=server.home)
        assert (done.returncode, part in done.stderr, "Traceback" in done.stderr) == (1, True, False)
    assert "had ended before" in ran(labelwright("loop", "stop", found[1], home=server.home))


def _status(labelwright: Command, home: Path) -> Any:
    return json.loads(ran(labelwright("loop", "status", "--app", "app", "--json", home=home)))
