"""Real servers, started as a user starts them, and the official client."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from google.protobuf.struct_pb2 import Struct

TOKEN = "an-acceptance-token"
USER = "tester"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


@dataclass
class Running:
    """A server process on a home of its own."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    args: list[str] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None
    channels: list[Any] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"

    def start(self) -> Running:
        """Start it, and wait until it serves calls."""
        env = {
            **os.environ,
            "LABELWRIGHT_USER_ID": USER,
            "LABELWRIGHT_PAT": TOKEN,
            "LABELWRIGHT_LOG_LEVEL": "warning",
            "LABELWRIGHT_POLL": "0.05",
            "PYTHONPATH": str(Path(__file__).parent / "plugins"),
            "LABELWRIGHT_PLUGINS": '["odd_operators"]',
            **self.env,
        }
        command = [sys.executable, "-m", "labelwright", "serve", "--home", str(self.home)]
        command += self.args or ["--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log, text=True)
        if not self.args:
            self.wait_until_served(self.port)
        return self

    def wait_until_served(self, port: int) -> None:
        for _ in range(600):
            with contextlib.suppress(urllib.error.URLError, OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).status == 200:
                    return
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"not served within a minute: {self.log.read_text()}")

    def children(self, title: str = "") -> list[psutil.Process]:
        assert self.process is not None
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                line = " ".join(child.cmdline())
                if "spawn_main" in line and title in line:
                    found.append(child)
        return found

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill_everything(self) -> None:
        """SIGKILL to the server and all its processes, the server first."""
        assert self.process is not None
        doomed = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(doomed, timeout=10)
        self.process.wait(10)

    def client(self, app: str = "app", port: int | None = None) -> Session:
        channel = ClarifaiChannel.get_insecure_grpc_channel(base="127.0.0.1", port=port or self.port)
        self.channels.append(channel)
        return Session(service_pb2_grpc.V2Stub(channel), app)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        if self.process is not None and self.process.poll() is None:
            self.kill_everything()


@dataclass
class Session:
    """The official client, in one app."""

    stub: service_pb2_grpc.V2Stub
    app: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Key {TOKEN}"),)

    def call(self, rpc: str, request: Any, expect: int | None = 10000) -> Any:
        request.user_app_id.user_id, request.user_app_id.app_id = USER, self.app
        reply = getattr(self.stub, rpc)(request, metadata=self.metadata, timeout=60)
        if expect is not None:
            assert reply.status.code == expect, f"{rpc}: {reply.status}"
        return reply

    def make_app(self, workflow: str = "Empty") -> None:
        app = resources_pb2.App(id=self.app, default_workflow_id=workflow)
        self.call("PostApps", service_pb2.PostAppsRequest(apps=[app]))

    def odd_workflow(self, threshold: float = 0.5, suffix: str = "") -> None:
        """The odd classifier, two thresholders and two writers as the app's default workflow."""
        data = resources_pb2.Data(concepts=[resources_pb2.Concept(id="thing", value=threshold)])
        info = resources_pb2.OutputInfo
        for model_id, kind, output_info in (
            ("odd", "odd-classifier", info()),
            ("above", "concept-threshold", info(params=struct(concept_threshold_type=1), data=data)),
            ("below", "concept-threshold", info(params=struct(concept_threshold_type=3), data=data)),
            ("success", "annotation-writer", info(params=struct(annotation_status=24150))),
            ("pending", "annotation-writer", info(params=struct(annotation_status=24151))),
        ):
            model = resources_pb2.Model(id=model_id + suffix, model_type_id=kind, output_info=output_info)
            self.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
        nodes = [
            resources_pb2.WorkflowNode(
                id=node_id,
                model=resources_pb2.Model(id=node_id + suffix),
                node_inputs=[resources_pb2.NodeInput(node_id=before)] if before else [],
            )
            for node_id, before in (
                ("odd", ""),
                ("above", "odd"),
                ("success", "above"),
                ("below", "odd"),
                ("pending", "below"),
            )
        ]
        workflow = resources_pb2.Workflow(id=f"odd{suffix}", nodes=nodes)
        self.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
        app = resources_pb2.App(id=self.app, default_workflow_id=f"odd{suffix}")
        self.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))

    def add_texts(self, texts: list[str]) -> list[str]:
        ids = []
        for i in range(0, len(texts), 128):
            inputs = [
                resources_pb2.Input(data=resources_pb2.Data(text=resources_pb2.Text(raw=t))) for t in texts[i : i + 128]
            ]
            reply = self.call("PostInputs", service_pb2.PostInputsRequest(inputs=inputs))
            ids += [one.id for one in reply.inputs]
        return ids

    def counts(self) -> resources_pb2.InputCount:
        counts: resources_pb2.InputCount = self.call("GetInputCount", service_pb2.GetInputCountRequest()).counts
        return counts

    def settle(self, seconds: float = 90) -> resources_pb2.InputCount:
        """Wait until no input waits or is worked on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            counts = self.counts()
            if not counts.to_process and not counts.processing:
                return counts
            time.sleep(0.05)
        raise AssertionError(f"still not settled: {self.counts()}")

    def annotations(self, **filters: Any) -> list[resources_pb2.Annotation]:
        """Every annotation of the app, newest first."""
        found: list[resources_pb2.Annotation] = []
        page = 1
        while True:
            request = service_pb2.ListAnnotationsRequest(page=page, per_page=1000, list_all_annotations=True, **filters)
            reply = self.call("ListAnnotations", request)
            found += reply.annotations
            if len(reply.annotations) < 1000:
                return found
            page += 1

    def inputs(self) -> list[resources_pb2.Input]:
        """Every input of the app."""
        found: list[resources_pb2.Input] = []
        page = 1
        while True:
            reply = self.call("ListInputs", service_pb2.ListInputsRequest(page=page, per_page=1000))
            found += reply.inputs
            if len(reply.inputs) < 1000:
                return found
            page += 1


Start = Callable[..., Running]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Start]:
    """Makes servers; each is stopped at the end."""
    made: list[Running] = []

    def make(name: str = "home", **options: Any) -> Running:
        server = Running(tmp_path / name, **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


def command(
    *args: str, home: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a labelwright command as a user does."""
    full = [sys.executable, "-m", "labelwright", *args]
    if home is not None:
        full += ["--home", str(home)]
    plugins = {"PYTHONPATH": str(Path(__file__).parent / "plugins"), "LABELWRIGHT_PLUGINS": '["odd_operators"]'}
    environment = {**os.environ, "COLUMNS": "200", **plugins, **(env or {})}
    return subprocess.run(full, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def labelwright() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command."""
    return command
