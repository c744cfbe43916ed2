"""A way from a model to a pair of thresholders in an app's default workflow, made where there is none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import (
    Concept,
    Data,
    ModelVersion,
    NodeInput,
    OutputInfo,
    WorkflowNode,
    WorkflowVersion,
)
from clarifai_grpc.grpc.api.status import status_code_pb2
from sqlalchemy import Connection, Row

from labelwright.ids import MAX_RESOURCE_ID
from labelwright.store import apps, models, workflows
from labelwright.training import embedders, route
from labelwright.training.tuning import NEVER

SUCCESS, PENDING = status_code_pb2.ANNOTATION_SUCCESS, status_code_pb2.ANNOTATION_PENDING


@dataclass(frozen=True, slots=True)
class Way:
    """What was made."""

    workflow: str
    """The id of the workflow that is the default one now."""
    before: str
    """The one before, as USER/APP/ID; "" for none."""
    models: tuple[str, ...]
    """Ids of the models that were added."""

    def told(self) -> str:
        """What was done, and how to take it back."""
        back = f"default_workflow {self.before} puts it back" if self.before else "it had none before"
        return (
            f"workflow {self.workflow} is the app's default now, with the models {', '.join(self.models)}; nothing is "
            f"labelled by it before thresholds are tuned. To undo: PatchApps ({back})."
        )


def missing(conn: Connection, app: Row[Any], model: Row[Any] | None) -> bool:
    """Whether the default workflow does not run a model; `route.find` says what is wrong where it does."""
    return model is None or route.find(conn, app, model=model.pk) is None


def make(conn: Connection, app: Row[Any], version: Row[Any], concepts: Sequence[str]) -> Way:
    """Let a workflow be the default one that runs a version, thresholders behind it and writers behind these.

    What the default workflow did before, the new one does too. The thresholds are above every score: nothing is
    labelled, and all that the model says waits for a person.

    Args:
        version: a trained one, a row of `models.versions_by_pk`.
        concepts: ids of those that it says.
    """
    old = workflows.by_pk(conn, app.default_workflow) if app.default_workflow else None
    newest = workflows.version(conn, old.pk) if old is not None else None
    nodes = list(WorkflowVersion.FromString(newest.wire).nodes) if newest is not None else []
    pins = [(n.node_id, n.model_version) for n in workflows.nodes(conn, newest.pk)] if newest is not None else []
    keys = dict(pins)
    embedder = embedders.of_app(conn, app)
    names = {node.id for node in nodes}
    source = next((node.id for node in nodes if keys.get(node.id) == embedder.pk), "")

    def add(name: str, one: Row[Any], before: str) -> str:
        name = _free(name, names)
        names.add(name)
        node = WorkflowNode(id=name, node_inputs=[NodeInput(node_id=before)] if before else [])
        node.model.id, node.model.user_id, node.model.app_id = one.model_id, one.user_id, one.app_id
        node.model.model_type_id, node.model.model_version.id = one.model_type_id, one.id
        nodes.append(node)
        pins.append((name, one.pk))
        return name

    if not source:
        source = add("embed", embedder, "")
    label = version.model_id
    at = add(label, version, source)
    made = []
    for name, compare, status in (("above", "GREATER_THAN", SUCCESS), ("below", "LESS_THAN", PENDING)):
        info = OutputInfo(data=Data(concepts=[Concept(id=c, name=c, value=NEVER) for c in concepts]))
        info.params.update({"concept_threshold_type": compare})
        threshold = _model(conn, app, f"{label}-{name}", "concept-threshold", info)
        info = OutputInfo()
        info.params.update({"annotation_status": status})
        ending = "success" if status == SUCCESS else "pending"
        writer = _model(conn, app, f"{label}-{ending}", "annotation-writer", info)
        add(f"{label}-{ending}", writer, add(f"{label}-{name}", threshold, at))
        made += [threshold.model_id, writer.model_id]
    taken = {row.id for row in workflows.listing(conn, [app.pk])}
    workflow_id = _free(f"loop-{label}", taken)
    wire = WorkflowVersion(nodes=nodes).SerializeToString(deterministic=True)
    pk = workflows.add(conn, app.pk, id=workflow_id, wire=b"", version_wire=wire, nodes=pins)
    apps.change(conn, app.pk, default_workflow=pk)
    apps.bump(conn, app.pk)
    before = "" if old is None else f"{old.user_id}/{old.app_id}/{old.id}"
    return Way(workflow_id, before, tuple(made))


def _model(conn: Connection, app: Row[Any], name: str, kind: str, info: OutputInfo) -> Row[Any]:
    """A new model with one version, joined as `models.versions_by_pk` has it."""
    taken = {row.id for row, _ in models.listing(conn, [app.pk])}
    model_id = _free(name, taken)
    model = models.add(conn, app.pk, id=model_id, name=model_id, model_type_id=kind, wire=b"")
    wire = ModelVersion(output_info=info).SerializeToString(deterministic=True)
    pk = models.add_version(conn, model, status_code=models.TRAINED, wire=wire)
    return models.versions_by_pk(conn, [pk])[pk]


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or one that begins so and is free."""
    name = name[: MAX_RESOURCE_ID - 4]
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
