"""``labelwright simulate`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labelwright", "simulate", *arguments],
        env={**os.environ, "COLUMNS": "150"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_digits_as_json() -> None:
    ran = simulate("--data", "digits", "--error", "0.02", "--joint", "--rounds", "1", "--seeds", "3", "--json")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["human"] == {"training": 300, "verification": 600, "review": 0, "all": 900}
    assert found["coverage"] >= 0.85
    assert found["broken"] <= found["broken_within_chance"]
    assert found["true_error_interval"][0] <= found["true_error"] <= found["true_error_interval"][1]
    assert abs(found["reduction"] - 1797 / 900) < 1e-9
    assert [run["seed"] for run in found["runs"]] == [0, 1, 2]
    assert all(run["trained"] + run["verified"] + run["auto"] + run["left"] == 1797 for run in found["runs"])


def test_a_file_as_a_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 4
    np.savez(tmp_path / "clouds.npz", X=rng.normal(size=(4, 8))[y] * 8 + rng.normal(size=(400, 8)), y=y)
    ran = simulate(
        *("--data", str(tmp_path / "clouds.npz"), "--train", "20", "--verify", "80", "--rounds", "2"),
        *("--final", "0.95", "--seeds", "2", "--learner", "graph"),
    )
    assert ran.returncode == 0, ran.stderr
    assert "20 training, 80 verification" in ran.stdout
    assert "reduction" in ran.stdout
    assert "reached in 2 of 2" in ran.stdout


def test_what_can_not_be_played_ends_in_a_line() -> None:
    for arguments in (("--data", "/nowhere.npz"), ("--train", "1797"), ("--error", "2"), ("--budget", "10")):
        ran = simulate(*arguments)
        assert ran.returncode == 1
        assert ran.stderr.strip().splitlines()[-1].startswith("labelwright: ")
        assert "Traceback" not in ran.stderr


def test_the_help_teaches() -> None:
    ran = simulate("--help")
    assert ran.returncode == 0
    for word in ("--data", "--error", "--confidence", "--per-concept", "--final", "labels stand for the person"):
        assert word in ran.stdout
