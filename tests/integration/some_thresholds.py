"""An app with a head, its pair of thresholders, a pool, and the truth; and a person who answers draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from clarifai_grpc.grpc.api import resources_pb2 as r
from clarifai_grpc.grpc.api import service_pb2
from sqlalchemy import Connection, Row, select

from labelwright.media.blobs import BlobStore
from labelwright.operators.head_parts import Linear
from labelwright.operators.heads import Head
from labelwright.store import annotations as annotation_rows
from labelwright.store import apps, concepts, draws, labels, models, trainings
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept
from labelwright.store.engine import Store, insert_many, now

SUCCESS = 24150
TRAINED = 21100
EMBEDDER = "the-embedder"
KINDS = ("cat", "dog")


def head(sharpness: float = 4.0) -> Head:
    """Says dog where a vector's first number is above 0, cat below, the surer the further; exclusive."""
    weights = np.array([[-sharpness, sharpness]], np.float32)
    return Head(2, True, 1, (Linear(weights, np.zeros(2, np.float32)),))


def thresholder(model_id: str, compare: str, **values: float) -> r.Model:
    info = r.OutputInfo(data=r.Data(concepts=[r.Concept(id=i, value=v) for i, v in values.items()]))
    info.params.update({"concept_threshold_type": compare})
    return r.Model(id=model_id, model_type_id="concept-threshold", output_info=info)


def node(node_id: str, model: r.Model, *before: str) -> r.WorkflowNode:
    return r.WorkflowNode(id=node_id, model=model, node_inputs=[r.NodeInput(node_id=b) for b in before])


def add_head(conn: Connection, blobs: BlobStore, app: int, *, model_id: str = "head", made: Head | None = None) -> str:
    """A model whose version is trained, as training leaves it; returns the version's id."""
    row = models.get(conn, app, model_id)
    model = (
        models.add(conn, app, id=model_id, name="", model_type_id="embedding-classifier", wire=b"")
        if row is None
        else row.pk
    )
    wire = r.ModelVersion(output_info=r.OutputInfo(data=r.Data(concepts=[r.Concept(id=i, name=i) for i in KINDS])))
    pk = models.add_version(conn, model, status_code=TRAINED, wire=wire.SerializeToString())
    trainings.add(conn, app, pk, {})
    key = trainings.head_key(app, pk)
    blobs.put(key, (made or head()).to_bytes())
    trainings.change(conn, pk, artifact=key, embedder=EMBEDDER)
    found = models.version(conn, model)
    assert found is not None
    return str(found.id)


def add_pool(conn: Connection, app: int, vectors: Mapping[str, float]) -> dict[str, int]:
    """Inputs that wait for nothing, each with its vector; returns their keys."""
    at = now()
    insert_many(
        conn,
        t.inputs,
        ("app", "id", "status_code", "wire", "created_at", "modified_at"),
        [(app, i, t.DONE, b"", at, at) for i in vectors],
    )
    pks = {row.id: row.pk for row in conn.execute(select(t.inputs.c.id, t.inputs.c.pk).where(t.inputs.c.app == app))}
    labels.put_embeddings(conn, [(pks[i], EMBEDDER, np.array([v], np.float32)) for i, v in vectors.items()])
    return {i: pks[i] for i in vectors}


def say(
    conn: Connection,
    app: int,
    input_key: int,
    values: Mapping[str, float],
    *,
    origin: int = t.PERSON,
    version: str = "",
) -> None:
    """What somebody says of an input."""
    keys = concepts.ensure(conn, app, {i: i for i in values})
    scored = origin in (t.MODEL, t.CONFIRMED)
    said = [NewConcept(keys[i], v, v if scored else None) for i, v in values.items()]
    row = NewAnnotation(input_key, "somebody", SUCCESS, origin, b"", said, model_version_id=version)
    annotation_rows.add(conn, app, [row])


class Farm:
    """Vectors below 0 show a cat, others a dog; near 0 the truth is mixed."""

    def __init__(self, client: Any, n: int = 400, seed: int = 1) -> None:
        self.client = client
        self.store: Store = client.server.store
        self.blobs: BlobStore = client.server.blobs
        rng = np.random.default_rng(seed)
        values = rng.uniform(-1, 1, n)
        odd = (np.abs(values) < 0.15) & (rng.random(n) < 0.5)
        with self.store.write() as conn:
            self.app = self._app(conn)
            self.version = add_head(conn, self.blobs, self.app.pk)
            self.inputs = add_pool(conn, self.app.pk, {f"i{k}": float(v) for k, v in enumerate(values)})
            concepts.ensure(conn, self.app.pk, {i: i for i in KINDS})
        keys = list(self.inputs.values())
        self.truth = {pk: ("dog" if (v > 0) != o else "cat") for pk, v, o in zip(keys, values, odd, strict=True)}
        client.call(
            "PostModels",
            service_pb2.PostModelsRequest(
                models=[thresholder("over", "GREATER_THAN", cat=0.9, dog=0.9)],
            ),
        )
        client.call(
            "PostModels",
            service_pb2.PostModelsRequest(models=[thresholder("under", "LESS_THAN", cat=0.9, dog=0.9)]),
        )
        nodes = [
            node("see", r.Model(id="head")),
            node("yes", r.Model(id="over"), "see"),
            node("no", r.Model(id="under"), "see"),
        ]
        client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[r.Workflow(id="flow", nodes=nodes)]))
        app = r.App(id="app", default_workflow_id="flow")
        client.call("PatchApps", service_pb2.PatchAppsRequest(apps=[app], action="overwrite"))

    def _app(self, conn: Connection) -> Row[Any]:
        row = apps.get(conn, self.client.user_id, "app")
        assert row is not None
        return row

    @property
    def row(self) -> Row[Any]:
        with self.store.read() as conn:
            return self._app(conn)

    def answer(self, n: int | None = None) -> int:
        """Answer what was drawn, in order, by the truth; returns how many."""
        done = 0
        with self.store.write() as conn:
            for item in draws.drawn(conn, self.app.pk, kind=draws.VERIFY):
                if item.answer is None and (n is None or done < n):
                    right = self.truth[item.input] == item.concept_id
                    draws.answer(conn, item.pk, draws.RIGHT if right else draws.WRONG, by="somebody")
                    done += 1
        return done

    def thresholds(self) -> dict[str, dict[str, float]]:
        """Node to concept to threshold, as the default workflow's newest version has them."""
        flow = self.client.call("GetWorkflow", service_pb2.GetWorkflowRequest(workflow_id="flow")).workflow
        found = {}
        for one in flow.nodes:
            if one.id in ("yes", "no"):
                got = self.client.call(
                    "GetModelVersion",
                    service_pb2.GetModelVersionRequest(model_id=one.model.id, version_id=one.model.model_version.id),
                ).model_version
                found[one.id] = {c.id: c.value for c in got.output_info.data.concepts}
        return found

    def rows(self) -> dict[str, int]:
        """How many versions of models and of workflows, and tunings, there are."""
        with self.store.read() as conn:
            tables = (t.model_versions, t.workflow_versions, t.tunings)
            return {one.name: len(conn.execute(select(one)).all()) for one in tables}
