"""Putting the public app ``clarifai/main`` into the store, as the catalogue has it."""

from __future__ import annotations

from clarifai_grpc.grpc.api import resources_pb2
from clarifai_grpc.grpc.api.status import status_code_pb2

from labelwright.models import catalogue
from labelwright.store import apps, concepts, models, users, workflows
from labelwright.store.engine import Store

_PUBLIC = resources_pb2.Visibility(gettable=resources_pb2.Visibility.PUBLIC)


def seed(store: Store) -> None:
    """Add what the public app lacks, and bring what it has up to the catalogue; nothing is taken away."""
    with store.write() as conn:
        users.ensure_user(conn, catalogue.PUBLIC_USER)
        app = apps.get(conn, catalogue.PUBLIC_USER, catalogue.PUBLIC_APP)
        wire = resources_pb2.App(description="The models that every key can use.", visibility=_PUBLIC)
        pk = (
            app.pk
            if app
            else apps.add(
                conn,
                user_id=catalogue.PUBLIC_USER,
                id=catalogue.PUBLIC_APP,
                wire=wire.SerializeToString(),
                default_workflow=None,
            )
        )
        concepts.ensure(conn, pk, {c.id: c.name for c in catalogue.CONCEPTS})
        versions: dict[str, int] = {}
        for model in catalogue.MODELS:
            output = resources_pb2.OutputInfo()
            output.data.concepts.extend(resources_pb2.Concept(id=c.id, name=c.name, value=1) for c in model.concepts)
            versions[model.id] = models.put(
                conn,
                pk,
                id=model.id,
                alias=model.alias,
                name=model.name,
                model_type_id=model.model_type_id,
                wire=resources_pb2.Model(description=model.description, visibility=_PUBLIC).SerializeToString(),
                version_id=model.version_id,
                status_code=status_code_pb2.MODEL_TRAINED,
                version_wire=resources_pb2.ModelVersion(
                    description=model.description, visibility=_PUBLIC, output_info=output
                ).SerializeToString(),
            )
        for workflow in catalogue.WORKFLOWS:
            if workflows.get(conn, pk, workflow.id) is not None:
                continue
            by_id = {m.id: m for m in catalogue.MODELS}
            nodes = [
                resources_pb2.WorkflowNode(
                    id=node.id,
                    model=resources_pb2.Model(
                        id=node.model_id,
                        user_id=catalogue.PUBLIC_USER,
                        app_id=catalogue.PUBLIC_APP,
                        model_type_id=by_id[node.model_id].model_type_id,
                        model_version=resources_pb2.ModelVersion(id=by_id[node.model_id].version_id),
                    ),
                    node_inputs=[resources_pb2.NodeInput(node_id=i) for i in node.inputs],
                )
                for node in workflow.nodes
            ]
            workflows.add(
                conn,
                pk,
                id=workflow.id,
                wire=resources_pb2.Workflow(description=workflow.description, visibility=_PUBLIC).SerializeToString(),
                version_wire=resources_pb2.WorkflowVersion(nodes=nodes, visibility=_PUBLIC).SerializeToString(),
                nodes=[(node.id, versions[node.model_id]) for node in workflow.nodes],
            )
