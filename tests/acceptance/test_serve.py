"""The contract of the command: what it opens, prints, refuses, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from labelwright import logs
from labelwright.cli import main
from tests.acceptance.conftest import Session, Start

pytestmark = pytest.mark.timeout(120)

Command = Callable[..., "subprocess.CompletedProcess[str]"]

PROMISE = 15
"""Seconds: SIGTERM promises 10; a busy machine gets half as much again."""

SLEEPER = """
import time
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data
from labelwright.operators.registry import ModelType, register
from labelwright.operators.values import Output

def make(params, data, snapshot):
    def run(batch):
        for one in batch.data:
            time.sleep(float(one.text.raw.partition("sleep=")[2] or 0))
        return Output([Data(concepts=[Concept(id="slept", value=0.9)]) for _ in batch.data])
    return run

register(ModelType(id="sleeper", title="Sleeper", description="Sleeps.", inputs=("text",), outputs=("concepts",),
                   make=make, predicts=True))
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [int(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports


@contextmanager
def process(out: Path, *args: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is told to end; what it prints goes to a file."""
    with out.open("w") as file:
        started = subprocess.Popen(
            [sys.executable, "-m", "labelwright", *args],
            env={**os.environ, **(env or {})},
            stdout=file,
            stderr=file,
            text=True,
        )
    try:
        yield started
    finally:
        if started.poll() is None:
            for child in psutil.Process(started.pid).children(recursive=True):
                child.kill()
            started.kill()
            started.wait()


def wait_for(out: Path, text: str, started: subprocess.Popen[str]) -> str:
    for _ in range(600):
        said = out.read_text()
        if text in said:
            return said
        assert started.poll() is None, said
        time.sleep(0.1)
    raise AssertionError(f"{text!r} does not come: {out.read_text()}")


def terminate(started: subprocess.Popen[str]) -> int:
    started.send_signal(signal.SIGTERM)
    return started.wait(PROMISE)


# --- starting ---------------------------------------------------------------------------------------


def test_the_first_start_says_how_to_connect_and_the_second_gives_nothing_away(tmp_path: Path) -> None:
    home, out, (port,) = tmp_path / "home", tmp_path / "out", free_ports(1)
    args = ("serve", "--home", str(home), "--listen", f"127.0.0.1:{port}")
    taken = socket.create_server(("127.0.0.1", port))
    with process(out, *args) as started:
        assert started.wait(60) == 1
    assert re.fullmatch(r"labelwright: .*\n", out.read_text())
    taken.close()

    # A first start that failed has not used up the token.
    with process(out, *args) as started:
        said = wait_for(out, "Ready", started)
        assert f"http://127.0.0.1:{port}" in said
        assert str(home) in said
        assert re.search(r"user id +owner\n", said)
        found = re.search(r"access token +([0-9a-f]{32})\n", said)
        assert found
        token = found[1]

        lines = said.splitlines()
        first = next(i for i, line in enumerate(lines) if "import ClarifaiChannel" in line)
        snippet = "\n".join(line.strip() for line in lines[first : first + 3])
        call = (
            "from clarifai_grpc.grpc.api import service_pb2\n"
            "print(stub.ListApps(service_pb2.ListAppsRequest(user_app_id=userDataObject), metadata=metadata)"
            ".status.code)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", f"{snippet}\n{call}"], capture_output=True, text=True, timeout=60, check=False
        )
        assert (ran.stdout, ran.stderr, ran.returncode) == ("10000\n", "", 0)
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz").status == 200
        assert f"http://127.0.0.1:{port}/docs\n" in said
        curl = next(line.strip() for line in lines if line.startswith("  curl "))
        assert curl == f'curl -H "Authorization: Key {token}" http://127.0.0.1:{port}/v2/users/me'

        assert home.stat().st_mode & 0o777 == 0o700
        files = [p for p in home.rglob("*") if p.is_file()]
        assert any(p.name == "labelwright.db" for p in files)
        for file in files:
            assert file.stat().st_mode & 0o077 == 0, file
            assert token.encode() not in file.read_bytes(), file
        assert terminate(started) == 0

    with process(out, *args) as started:
        said = wait_for(out, "Ready", started)
        assert "owner" in said
        assert "token" not in said
        assert "ClarifaiChannel" not in said
        ran = subprocess.run([sys.executable, "-c", f"{snippet}\n{call}"], capture_output=True, text=True, timeout=60)
        assert ran.stdout == "10000\n"
        assert terminate(started) == 0


def test_only_the_addresses_asked_for_are_open_and_grpc_answers_health_and_reflection(tmp_path: Path) -> None:
    home, out, (grpc_port, http_port) = tmp_path / "home", tmp_path / "out", free_ports(2)
    home.mkdir()
    (home / "labelwright.toml").write_text(f'http = "127.0.0.1:{http_port}"\nworkers = 0\nuser_id = "from-the-file"\n')
    env = {"LABELWRIGHT_GRPC": f"127.0.0.1:{grpc_port}", "LABELWRIGHT_PAT": "from-the-environment"}
    with process(out, "serve", "--home", str(home), env=env) as started:
        said = wait_for(out, "Ready", started)
        assert "from-the-file" in said
        assert "from-the-environment" not in said
        listening = {
            c.laddr.port for c in psutil.Process(started.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN
        }
        assert listening == {grpc_port, http_port}
        assert urllib.request.urlopen(f"http://127.0.0.1:{http_port}/healthz").status == 200
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for service in ("", "clarifai.api.V2"):
                answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10)
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
            (listed,) = stub.ServerReflectionInfo(asked, timeout=10)
            names = {s.name for s in listed.list_services_response.service}
            assert {"clarifai.api.V2", "grpc.health.v1.Health"} <= names
        assert terminate(started) == 0


# --- refusing ---------------------------------------------------------------------------------------


def one_line(ran: subprocess.CompletedProcess[str], *parts: str) -> None:
    """An error is one line that says what is wrong."""
    assert ran.returncode == 1, ran
    assert ran.stdout == ""
    assert re.fullmatch(r"labelwright: [^\n]+\n", ran.stderr), ran.stderr
    for part in parts:
        assert part in ran.stderr


Quick = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Quick:
    """The command within this process, for what ends before it begins: a process costs seconds of imports."""

    def run(*args: str, home: Path | None = None, env: dict[str, str] | None = None) -> Any:
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(os, "umask", lambda _mask: 0)
        monkeypatch.setattr(logs, "configure", lambda *_: None)
        full = ["labelwright", *args, *(["--home", str(home)] if home else [])]
        monkeypatch.setattr(sys, "argv", full)
        with pytest.raises(SystemExit) as ended:
            main.run()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(full, ended.value.code, said.out, said.err)  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize("flag", ["--listen", "--grpc", "--http"])
def test_a_port_that_is_taken(flag: str, tmp_path: Path, labelwright: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        one_line(labelwright("serve", flag, address, home=tmp_path / "home"), address)


@pytest.mark.parametrize(
    ("env", "parts"),
    [
        ({"LABELWRIGHT_WORKERS": "1000"}, ["workers", "256"]),
        ({"LABELWRIGHT_LISTEN": "nowhere"}, ["listen", "HOST:PORT"]),
        ({"LABELWRIGHT_POLL": "often"}, ["poll: 'often' is not legal", "number"]),
        ({"LABELWRIGHT_PLUGINS": "my_plugin"}, ["plugins", "JSON"]),
    ],
)
def test_a_setting_that_is_not_legal(env: dict[str, str], parts: list[str], tmp_path: Path, quick: Quick) -> None:
    one_line(quick("serve", home=tmp_path / "home", env=env), *parts)


@pytest.mark.parametrize(
    ("env", "parts"),
    [
        ({"LABELWRIGHT_PLUGINS": '["no_such_plugin"]'}, ["no_such_plugin"]),
        ({"LABELWRIGHT_DATABASE_URL": "mysql://host/database"}, ["mysql", "sqlite and postgresql"]),
        ({"LABELWRIGHT_DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/x"}, ["can't be opened", "user:***@"]),
        ({"LABELWRIGHT_PAT": "short", "LABELWRIGHT_LISTEN": "127.0.0.1:0"}, ["pat", "8 characters"]),
        ({"LABELWRIGHT_USER_ID": "not legal", "LABELWRIGHT_LISTEN": "127.0.0.1:0"}, ["user_id", "not legal"]),
    ],
)
def test_a_setting_that_can_not_be_used(
    env: dict[str, str], parts: list[str], tmp_path: Path, labelwright: Command
) -> None:
    one_line(labelwright("serve", home=tmp_path / "home", env=env), *parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("worker = 2\n", ["worker", "no such setting"]), ("workers = \n", ["labelwright.toml", "TOML"])],
)
def test_a_settings_file_that_is_not_legal(text: str, parts: list[str], tmp_path: Path, quick: Quick) -> None:
    (tmp_path / "labelwright.toml").write_text(text)
    one_line(quick("serve", home=tmp_path), *parts)


def test_a_home_that_can_not_be_used(tmp_path: Path, labelwright: Command) -> None:
    (tmp_path / "file").write_text("")
    one_line(labelwright("serve", home=tmp_path / "file" / "home"), "--home")
    # Not even the superuser can write here.
    if Path("/proc/self").exists():
        one_line(labelwright("serve", home=Path("/proc/self")), "can't be opened")


def test_a_home_without_a_store(tmp_path: Path, quick: Quick, labelwright: Command) -> None:
    one_line(labelwright("worker", home=tmp_path / "none"), "no store")
    for command in (["runs"], ["rerun", "--app", "a"], ["undo", "abcdef"]):
        one_line(quick(*command, home=tmp_path / "none"), "no store")


# --- teaching ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "parts"),
    [
        ([], ["labelwright serve", "LABELWRIGHT_<NAME>", "labelwright.toml", "rerun", "undo"]),
        (["serve"], ["--listen", "127.0.0.1:8080", "--grpc", "--http", "--workers", "--home", "SIGTERM"]),
        (["worker"], ["--workers", "LABELWRIGHT_DATABASE_URL"]),
        (["rerun"], ["--app", "--missing", "--dataset", "labelwright undo"]),
        (["runs"], ["--app", "--limit"]),
        (["undo"], ["RUN", "--home"]),
        (["settings"], ["--home"]),
        (["demo"], ["--photos", "--out"]),
    ],
)
def test_help_teaches(command: list[str], parts: list[str], quick: Quick) -> None:
    ran = quick(*command, "--help")
    assert ran.returncode == 0
    assert ran.stderr == ""
    for part in parts:
        assert part in ran.stdout


# --- ending -----------------------------------------------------------------------------------------


def test_sigterm_ends_a_slow_batch_and_an_open_prediction_in_time(running: Start, tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    server = running(env={"PYTHONPATH": str(tmp_path), "LABELWRIGHT_PLUGINS": '["sleeper"]'}).start()
    session = server.client()
    session.make_app()
    model = resources_pb2.Model(id="sleeper", model_type_id="sleeper")
    session.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    node = resources_pb2.WorkflowNode(id="sleeper", model=resources_pb2.Model(id="sleeper"))
    workflow = resources_pb2.Workflow(id="sleepy", nodes=[node])
    session.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
    app = resources_pb2.App(id=session.app, default_workflow_id="sleepy")
    session.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))
    session.add_texts(["sleep=100"])
    text = resources_pb2.Text(raw="sleep=100")
    answered: list[Any] = []

    def predict() -> None:
        given = [resources_pb2.Input(data=resources_pb2.Data(text=text))]
        request = service_pb2.PostModelOutputsRequest(model_id="sleeper", inputs=given)
        try:
            answered.append(session.call("PostModelOutputs", request, expect=None).status.code)
        except grpc.RpcError as e:
            answered.append(e)

    thread = threading.Thread(target=predict)
    thread.start()
    while not session.counts().processing:
        pass
    started = time.monotonic()
    assert server.terminate() == 0
    assert time.monotonic() - started < PROMISE
    thread.join(PROMISE)
    assert len(answered) == 1
    assert "Traceback" not in server.log.read_text()

    # It counts against nobody: the input waits again, as if it had never been begun.
    with sqlite3.connect(server.home / "labelwright.db") as conn:
        assert conn.execute("SELECT status_code, alone, strikes, lease FROM inputs").fetchall() == [(30001, 0, 0, None)]
        assert conn.execute("SELECT count(*) FROM leases").fetchone() == (0,)
    conn.close()


# --- workers of their own ---------------------------------------------------------------------------


def test_a_worker_labels_what_a_server_without_workers_takes_in(running: Start, tmp_path: Path) -> None:
    server = running(env={"LABELWRIGHT_WORKERS": "0"}).start()
    session: Session = server.client()
    session.make_app()
    session.odd_workflow()
    ids = session.add_texts(["one", "two", "deadly", "three"])
    assert session.counts().to_process == 4
    out = tmp_path / "worker.out"
    plugins = {"PYTHONPATH": str(Path(__file__).parent / "plugins"), "LABELWRIGHT_PLUGINS": '["odd_operators"]'}
    args = ("worker", "--home", str(server.home), "--workers", "2")
    with process(out, *args, env={**plugins, "LABELWRIGHT_POLL": "0.05"}) as worker:
        wait_for(out, "2 annotator(s) at work", worker)
        counts = session.settle()
        assert (counts.processed, counts.errors) == (3, 1)
        deadly = session.call("GetInput", service_pb2.GetInputRequest(input_id=ids[2])).input
        assert "died 3 times" in deadly.status.details
        ids += session.add_texts(["four"])
        session.settle()
        assert Counter(a.input_id for a in session.annotations()) == Counter(ids[:2] + ids[3:])
        assert terminate(worker) == 0
    session.add_texts(["five"])
    assert session.counts().to_process == 1
