"""An app with inputs, labels and vectors, and a lane of jobs without processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Image, Input, Model, ModelVersion, OutputInfo
from sqlalchemy import Row

from labelwright.annotator.lane import Carriers, Lane
from labelwright.models.catalogue import EMBEDDING
from labelwright.protocol.dispatch import Server
from labelwright.store import apps, jobs, labels, queue
from labelwright.store import inputs as stored_inputs
from tests.conftest import Client
from tests.unit.some_media import png

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


class Jobs:
    """The lane of jobs, run by hand."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.carriers = Carriers(Lane(server.settings, server.store, server.blobs))

    def claim(self) -> Row[Any] | None:
        with self.server.store.write() as conn:
            return jobs.claim(conn, queue.this_process(), seconds=60)

    def turn(self, stop: Callable[[], bool] = lambda: False, turn: float = 60) -> Row[Any]:
        """One turn of the job that has waited longest; returns it as it is after that."""
        job = self.claim()
        assert job is not None
        carrier = self.carriers.of(job.kind)
        assert carrier is not None
        carrier.carry(job, stop=stop, turn=turn)
        with self.server.store.read() as conn:
            after = jobs.get(conn, job.id)
        assert after is not None
        return after

    def all(self) -> None:
        """Run until none waits."""
        while True:
            with self.server.store.read() as conn:
                if not jobs.waiting(conn):
                    return
            self.turn()


def add_images(client: Client, shows: Sequence[dict[str, float]], *, start: int = 0) -> list[str]:
    """Add small images, each with labels (concept to 1 or 0), as a person's; no annotator runs. Returns their ids."""
    ids = [f"i{start + n}" for n in range(len(shows))]
    made = []
    for n, (input_id, said) in enumerate(zip(ids, shows, strict=True)):
        colour = COLOURS.get(next((c for c, v in said.items() if v), ""), (120, 120, 120))
        concepts = [Concept(id=c, value=v) for c, v in said.items()]
        data = Data(image=Image(base64=png(colour, 20 + n % 7, 16 + n % 5)), concepts=concepts)
        made.append(Input(id=input_id, data=data))
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=made))
    return ids


def put_vectors(
    client: Client, vectors: dict[str, Sequence[float] | np.ndarray[Any, Any]], version: str = EMBEDDING.version_id
) -> dict[str, int]:
    """Store embeddings of inputs; returns input id to key."""
    with client.server.store.write() as conn:
        app = apps.get(conn, client.user_id, client.user_app_id.app_id)
        assert app is not None
        keys = stored_inputs.keys(conn, app.pk, list(vectors))
        labels.put_embeddings(conn, [(keys[i], version, np.asarray(v, np.float32)) for i, v in vectors.items()])
    return dict(keys)


def post_model(client: Client, model_id: str = "m", *, type_id: str = "", info: OutputInfo | None = None) -> Model:
    model = Model(id=model_id, model_type_id=type_id)
    if info is not None:
        model.output_info.CopyFrom(info)
    reply = client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))
    made: Model = reply.model
    return made


def train(
    client: Client,
    model_id: str = "m",
    concepts: Sequence[str] = (),
    *,
    exclusive: bool = False,
    version: ModelVersion | None = None,
    expect: int = 10000,
) -> Any:
    """Post a version; the reply."""
    posted = ModelVersion()
    if version is not None:
        posted.CopyFrom(version)
    if concepts:
        posted.output_info.data.concepts.extend(Concept(id=c) for c in concepts)
    if exclusive:
        posted.output_info.output_config.concepts_mutually_exclusive = True
    request = service_pb2.PostModelVersionsRequest(model_id=model_id, model_versions=[posted])
    return client.call("PostModelVersions", request, expect=expect)


def version_of(client: Client, version_id: str, model_id: str = "m") -> ModelVersion:
    request = service_pb2.GetModelVersionRequest(model_id=model_id, version_id=version_id)
    found: ModelVersion = client.call("GetModelVersion", request).model_version
    return found


def trained(client: Client, lane: Jobs, model_id: str = "m", **more: Any) -> ModelVersion:
    """Post a version, carry its job to the end, and read the version."""
    version_id = train(client, model_id, **more).model.model_version.id
    lane.all()
    return version_of(client, version_id, model_id)


def logs_of(client: Client, version_id: str, model_id: str = "m") -> str:
    request = service_pb2.ListLogEntriesRequest(model_id=model_id, model_version_id=version_id, log_type="training")
    return "\n".join(e.message for e in client.call("ListLogEntries", request).log_entries)


def names(concepts: Any) -> list[str]:
    return [c.id for c in concepts]
