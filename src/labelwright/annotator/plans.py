"""From a workflow version in the store to a plan that runs, with a bounded memory of the last ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import ModelVersion, OutputInfo, WorkflowVersion
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection, Row

from labelwright.annotator.artifacts import Artifacts
from labelwright.errors import ModelDoesNotExist
from labelwright.media.blobs import BlobStore
from labelwright.models.loading import load
from labelwright.operators import registry
from labelwright.operators.values import ConceptRef, Operator, Relation, Snapshot
from labelwright.store import collaborators, models, relations, trainings, workflows
from labelwright.workflows import engine

FLOOR = 0.05
"""The score below which a predicted concept is no prediction, where neither version nor node says another."""

_KEEP = 32
"""Plans that a process remembers; a plan of operators is small, and models are shared between plans."""


def snapshot(conn: Connection, app: Row[Any]) -> Snapshot:
    """What operators may know of an app."""
    return Snapshot(
        user_id=app.user_id,
        app_id=app.id,
        relations=tuple(
            Relation(
                ConceptRef(r.subject_user_id, r.subject_app_id, r.subject_id, r.subject_name),
                r.predicate,
                ConceptRef(r.object_user_id, r.object_app_id, r.object_id, r.object_name),
                r.knowledge_graph_id,
            )
            for r in relations.snapshot(conn, app.pk)
        ),
        people=collaborators.people(conn, app.pk) | {app.user_id},
    )


def output_info(version_wire: bytes) -> OutputInfo:
    """The ``output_info`` of a stored model version."""
    return ModelVersion.FromString(version_wire).output_info


def overridden(info: OutputInfo, override: OutputInfo | None) -> OutputInfo:
    """A version's settings with a node's laid over them: parameter by parameter, ``data`` as a whole."""
    if override is None:
        return info
    out = OutputInfo()
    out.CopyFrom(info)
    for name, value in override.params.fields.items():
        out.params.fields[name].CopyFrom(value)
    if override.data.ByteSize():
        out.data.CopyFrom(override.data)
    if override.output_config.min_value:
        out.output_config.min_value = override.output_config.min_value
    return out


@dataclass(frozen=True, slots=True)
class Learned:
    """What a version that learned comes with."""

    artifact: bytes
    embed: Operator | None
    """The embedder whose vectors it takes; None where that has been deleted."""


def learned_of(conn: Connection, version: Row[Any], snap: Snapshot, artifacts: Artifacts | None) -> Learned | None:
    """What a version (a row of `models.versions_by_pk`) learned; None for one of a type that learns nothing.

    Raises:
        ModelUntrained: it is not trained.
    """
    artifact = artifacts.of(conn, version) if artifacts is not None else None
    if artifact is None:
        return None
    training = trainings.get(conn, version.pk)
    pk = training.params.get("embedder") if training is not None else None
    embedder = models.versions_by_pk(conn, [pk]).get(pk) if pk else None
    embed = operator_of(embedder, output_info(embedder.wire), snap) if embedder is not None else None
    return Learned(artifact, embed)


def operator_of(version: Row[Any], info: OutputInfo, snap: Snapshot, learned: Learned | None = None) -> Operator:
    """The operator of a model version (a row of `models.versions_by_pk`)."""
    return load(
        registry.get(version.model_type_id),
        version.id,
        MessageToDict(info.params),
        info.data,
        snap,
        artifact=learned.artifact if learned is not None else None,
        embed=learned.embed if learned is not None else None,
    )


def node_of(
    version: Row[Any],
    snap: Snapshot,
    *,
    id: str,
    called: str = "",
    override: OutputInfo | None = None,
    learned: Learned | None = None,
    **more: Any,
) -> engine.Node:
    """A node that runs a model version.

    Args:
        called: the id under which the model was asked for; it counts where it is the model's second one.
    """
    info = overridden(output_info(version.wire), override)
    model_type = registry.get(version.model_type_id)
    # Not simply what was asked for: a model may have got a new id since.
    shown = called if called == version.model_alias else version.model_id
    return engine.Node(
        id=id,
        type=model_type,
        model=engine.ModelRef(version.user_id, version.app_id, shown, version.id, version.model_name),
        operator=operator_of(version, info, snap, learned),
        floor=(info.output_config.min_value or FLOOR) if model_type.predicts else 0.0,
        **more,
    )


def compile_version(
    conn: Connection, app: Row[Any], workflow: Row[Any], version: Row[Any], artifacts: Artifacts | None = None
) -> engine.Plan:
    """Make a plan of a workflow version, for work in ``app``.

    Args:
        artifacts: where to have what versions learned.

    Raises:
        ModelDoesNotExist: a model version that the workflow names has been deleted.
        ModelUntrained: one is not trained.
    """
    snap = snapshot(conn, app)
    wire = {n.id: n for n in WorkflowVersion.FromString(version.wire).nodes}
    rows = workflows.nodes(conn, version.pk)
    versions = models.versions_by_pk(conn, [r.model_version for r in rows])
    nodes = []
    for row in rows:
        if row.model_version not in versions:
            raise ModelDoesNotExist(
                f"node {row.node_id!r} of workflow {workflow.id!r} names a model version that has been deleted; "
                "post the workflow anew with one that is there"
            )
        said = wire[row.node_id]
        pinned = versions[row.model_version]
        nodes.append(
            node_of(
                pinned,
                snap,
                learned=learned_of(conn, pinned, snap, artifacts),
                id=row.node_id,
                called=said.model.id,
                override=said.output_info_override if said.HasField("output_info_override") else None,
                inputs=tuple(i.node_id for i in said.node_inputs),
                suppress=said.suppress_output,
            )
        )
    return engine.plan(workflow.id, version.id, nodes)


class Plans:
    """The plans of one process, made anew when a workflow or the app's relations changed.

    Args:
        blobs: where what versions learned is kept; without, they can't run.
    """

    def __init__(self, blobs: BlobStore | None = None) -> None:
        self.artifacts = Artifacts(blobs) if blobs is not None else None
        self._plans: OrderedDict[tuple[Any, ...], engine.Plan] = OrderedDict()

    def default(self, conn: Connection, app: Row[Any]) -> engine.Plan:
        """The newest version of the app's default workflow; an empty plan for an app without one."""
        workflow = workflows.by_pk(conn, app.default_workflow) if app.default_workflow else None
        version = workflows.version(conn, workflow.pk) if workflow is not None else None
        if workflow is None or version is None:
            return engine.plan("", "", ())
        return self.of(conn, app, workflow, version)

    def newest(self, conn: Connection, app: Row[Any]) -> str:
        """The id of the version that `default` would run now; "" for an app without a default workflow."""
        version = workflows.version(conn, app.default_workflow) if app.default_workflow else None
        return version.id if version is not None else ""

    def of(self, conn: Connection, app: Row[Any], workflow: Row[Any], version: Row[Any]) -> engine.Plan:
        """One version of one workflow, for work in ``app``."""
        key = (app.pk, app.revision, version.pk, version.modified_at)
        if key not in self._plans:
            self._plans[key] = compile_version(conn, app, workflow, version, self.artifacts)
            while len(self._plans) > _KEEP:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return self._plans[key]
