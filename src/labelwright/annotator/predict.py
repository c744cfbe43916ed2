"""Answering calls that wait for a prediction: the same plans and intake as the annotator's, and nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clarifai_grpc.grpc.api.resources_pb2 import Data, OutputInfo
from sqlalchemy import Connection

from labelwright.annotator.intake import Intake, Item
from labelwright.annotator.plans import Plans, learned_of, node_of, snapshot
from labelwright.config import Settings
from labelwright.errors import DoesNotExist, InputInvalidArgument, LabelwrightError, ModelDoesNotExist
from labelwright.media.blobs import BlobStore
from labelwright.operators.values import Vectors
from labelwright.store import apps, models, workflows
from labelwright.store.engine import Store
from labelwright.workflows import engine


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be predicted. It travels to the predictor's process, so messages are bytes."""

    app: int
    """The app for which operators work: its relations, its people."""
    inputs: tuple[tuple[str, bytes, str | None], ...]
    """Id, Data, and the key of its media if it has any, of each input."""
    workflow: int | None = None
    workflow_version: str = ""
    """"" means the newest."""
    model_version: int | None = None
    """Instead of a workflow: one model."""
    called: str = ""
    """The id under which that model was asked for."""
    output_info: bytes = b""
    """Laid over the model version's own."""


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """What one node made of one input."""

    node_id: str
    model: engine.ModelRef
    model_type_id: str
    suppress: bool
    data: bytes


Prediction = tuple[NodeOutput, ...] | LabelwrightError
"""The outputs of every node for one input, in the order of the graph; or why there are none."""


class Forecaster:
    """Runs tasks. Used by one thread at a time."""

    def __init__(self, settings: Settings, store: Store, blobs: BlobStore) -> None:
        self._store = store
        self._intake = Intake(settings, blobs)
        self._plans = Plans(blobs)

    def run(self, task: Task) -> list[Prediction]:
        """Predict.

        Raises:
            LabelwrightError: nothing could be run at all; what fails for one input is in its place of the list.
        """
        with self._store.read() as conn:
            plan = self._plan(conn, task)
        items = [Item(input_id, Data.FromString(wire), media=media) for input_id, wire, media in task.inputs]
        taken = self._intake.take(items)
        done = engine.run(plan, taken.source)
        results: list[Prediction] = [()] * len(items)
        for i, error in taken.failed.items():
            results[i] = error
        for row, i in enumerate(taken.rows):
            results[i] = done.failed.get(row) or _outputs(plan, done, row)
        if task.model_version is not None:
            # In a workflow an input that a node can't work on passes it by; who asks that model alone is told.
            (node,) = plan.nodes
            for row, i in enumerate(taken.rows):
                if not engine.takes(node, taken.source.data[row]):
                    wanted = " or ".join(node.type.inputs)
                    results[i] = InputInvalidArgument(f"a {node.type.id} takes {wanted}, and the input has none")
        return results

    def _plan(self, conn: Connection, task: Task) -> engine.Plan:
        app = apps.by_pk(conn, task.app)
        if app is None:
            raise DoesNotExist("the app has been deleted")
        if task.model_version is not None:
            versions = models.versions_by_pk(conn, [task.model_version])
            if task.model_version not in versions:
                raise ModelDoesNotExist("the model version has been deleted")
            override = OutputInfo.FromString(task.output_info) if task.output_info else None
            version, snap = versions[task.model_version], snapshot(conn, app)
            learned = learned_of(conn, version, snap, self._plans.artifacts)
            node = node_of(version, snap, id="model", called=task.called, override=override, learned=learned)
            return engine.plan("", "", [node])
        workflow = workflows.by_pk(conn, task.workflow) if task.workflow is not None else None
        found = workflows.version(conn, workflow.pk, task.workflow_version) if workflow is not None else None
        if workflow is None or found is None:
            raise DoesNotExist("the workflow has been deleted")
        return self._plans.of(conn, app, workflow, found)


def _outputs(plan: engine.Plan, done: engine.Run, row: int) -> Prediction:
    return tuple(
        NodeOutput(
            node_id=node.id,
            model=node.model,
            model_type_id=node.type.id,
            suppress=node.suppress,
            data=_wire(done.nodes[node.id].data[row], done.nodes[node.id].vectors.get(row)),
        )
        for node in plan.nodes
    )


def _wire(data: Data | None, vector: Vectors | None) -> bytes:
    out = Data()
    if data is not None:
        out.CopyFrom(data)
    if vector is not None:
        embedding = out.embeddings.add(num_dimensions=len(vector))
        embedding.vector.extend(vector.tolist())
    return out.SerializeToString()


def tasks_inputs(inputs: Sequence[tuple[str, Data, str | None]]) -> tuple[tuple[str, bytes, str | None], ...]:
    """Inputs in the form that a task carries them in."""
    return tuple((input_id, data.SerializeToString(), media) for input_id, data, media in inputs)
