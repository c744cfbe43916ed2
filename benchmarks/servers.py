"""Starting a real server for a benchmark, and the client's side of the tutorial's workflow."""

from __future__ import annotations

import os
import socket
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
from typing import Any

from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from google.protobuf.struct_pb2 import Struct

TOKEN = "benchmark-token"
USER = "bench"


@dataclass(frozen=True)
class Session:
    """A client and its app."""

    stub: service_pb2_grpc.V2Stub
    ids: resources_pb2.UserAppIDSet
    pid: int
    port: int = 0
    """The one address's port."""
    home: Path = Path()

    def call(self, rpc: str, request: Any) -> Any:
        """Call an RPC; anything but success ends the benchmark."""
        request.user_app_id.CopyFrom(self.ids)
        reply = getattr(self.stub, rpc)(request, metadata=(("authorization", f"Key {TOKEN}"),))
        if reply.status.code != 10000:
            raise SystemExit(f"{rpc}: {reply.status}")
        return reply

    def counts(self) -> resources_pb2.InputCount:
        """How many inputs are in which state."""
        counts: resources_pb2.InputCount = self.call("GetInputCount", service_pb2.GetInputCountRequest()).counts
        return counts

    def wait(self, expected: int, seconds: float) -> float:
        """Wait until so many inputs are settled; returns the time when it was seen."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            counts = self.counts()
            if counts.processed + counts.errors >= expected:
                return time.perf_counter()
            time.sleep(0.02)
        raise SystemExit(f"not done within {seconds} s: {self.counts()}")


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def server(workers: int = 1, **environment: str) -> Iterator[Session]:
    """A server on a temporary home, with an app; it is stopped and removed at the end."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="labelwright-bench-") as home:
        env = os.environ | {
            "PYTHONPATH": str(Path(__file__).parent),
            "LABELWRIGHT_USER_ID": USER,
            "LABELWRIGHT_PAT": TOKEN,
            "LABELWRIGHT_LOG_LEVEL": "warning",
            **environment,
        }
        command = [sys.executable, "-m", "labelwright", "serve", "--home", home]
        command += ["--listen", f"127.0.0.1:{port}", "--workers", str(workers)]
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
        try:
            _wait_until_served(port, process)
            channel = ClarifaiChannel.get_insecure_grpc_channel(base="127.0.0.1", port=port)
            ids = resources_pb2.UserAppIDSet(user_id=USER, app_id="bench")
            session = Session(service_pb2_grpc.V2Stub(channel), ids, process.pid, port, Path(home))
            empty = resources_pb2.App(id="bench", default_workflow_id="Empty")
            session.call("PostApps", service_pb2.PostAppsRequest(apps=[empty]))
            yield session
            channel.close()
        finally:
            process.terminate()
            process.wait(15)


def _wait_until_served(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).status == 200:
                return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                raise SystemExit("the server ended") from None
        time.sleep(0.1)
    raise SystemExit("the server did not come up")


def annotation_workflow(
    session: Session,
    *,
    before: list[resources_pb2.WorkflowNode],
    classifier: str,
    relations: dict[str, tuple[str, str]],
    threshold: float = 0.5,
) -> None:
    """The tutorial's mapper, thresholders and writers behind a classifier, as the app's default workflow.

    Args:
        before: the nodes up to the classifier.
        classifier: the id of the classifier's node.
        relations: the app's concept to the model's concept and its app.
    """

    def params(**values: Any) -> Struct:
        struct = Struct()
        struct.update(values)
        return struct

    for own, (theirs, app_id) in relations.items():
        session.call(
            "PostConceptRelations",
            service_pb2.PostConceptRelationsRequest(
                concept_id=own,
                concept_relations=[
                    resources_pb2.ConceptRelation(
                        object_concept=resources_pb2.Concept(id=theirs, app_id=app_id), predicate="synonym"
                    )
                ],
            ),
        )
    thresholds = resources_pb2.Data(concepts=[resources_pb2.Concept(id=c, value=threshold) for c in relations])
    info = resources_pb2.OutputInfo
    for model_id, kind, output_info in (
        ("mapper", "concept-synonym-mapper", info(params=params(knowledge_graph_id=""))),
        ("above", "concept-threshold", info(params=params(concept_threshold_type=1), data=thresholds)),
        ("below", "concept-threshold", info(params=params(concept_threshold_type=3), data=thresholds)),
        ("success", "annotation-writer", info(params=params(annotation_status=24150, annotation_user_id=USER))),
        ("pending", "annotation-writer", info(params=params(annotation_status=24151, annotation_user_id=USER))),
    ):
        model = resources_pb2.Model(id=model_id, model_type_id=kind, output_info=output_info)
        session.call("PostModels", service_pb2.PostModelsRequest(models=[model]))

    def node(node_id: str, after: str) -> resources_pb2.WorkflowNode:
        model = resources_pb2.Model(id=node_id)
        return resources_pb2.WorkflowNode(id=node_id, model=model, node_inputs=[resources_pb2.NodeInput(node_id=after)])

    nodes = [*before, node("mapper", classifier), node("above", "mapper"), node("success", "above")]
    nodes += [node("below", "mapper"), node("pending", "below")]
    workflow = resources_pb2.Workflow(id="auto", nodes=nodes)
    session.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[workflow]))
    app = resources_pb2.App(id="bench", default_workflow_id="auto")
    session.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))
