"""Training through the API: from labels to a version that predicts, and how each training can end otherwise."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Concept,
    Data,
    Image,
    Input,
    Model,
    ModelVersion,
    NodeInput,
    OutputConfig,
    OutputInfo,
    Workflow,
    WorkflowNode,
)
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import func, select

from labelwright import config
from labelwright.annotator.predict import Forecaster
from labelwright.media.blobs import BlobStore
from labelwright.models.catalogue import EMBEDDING
from labelwright.operators.heads import Head
from labelwright.protocol.dispatch import Server
from labelwright.store import jobs, trainings
from labelwright.store import tables as t
from labelwright.store.engine import Store
from labelwright.training import labels
from tests.conftest import Client
from tests.integration.some_trainings import (
    COLOURS,
    Jobs,
    add_images,
    logs_of,
    names,
    post_model,
    put_vectors,
    train,
    trained,
    version_of,
)
from tests.unit.some_media import png

UNTRAINED, QUEUED, TRAINING, TRAINED, FAILED = 21102, 21103, 21101, 21100, 21106
NO_DATA, NO_POSITIVES, SINGLE_CLASS, TIMED_OUT, INVALID_PARAMS = 21110, 21111, 21112, 21113, 21118
ARGUMENT = 21202


@pytest.fixture
def server(store: Store, settings: config.Settings) -> Server:
    """What the handlers share, with predictions in this process."""
    blobs = BlobStore(settings.media_store_url)
    predictor = Forecaster(settings, store, blobs)
    return Server(settings=settings, store=store, blobs=blobs, predictor=predictor, wake=lambda: None)


@pytest.fixture
def lane(server: Server) -> Jobs:
    return Jobs(server)


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def colours(each: int = 4) -> list[dict[str, float]]:
    return [{name: 1.0} for name in COLOURS for _ in range(each)]


def predict(client: Client, colour: str, model_id: str = "m", *, expect: int = 10000, **more: Any) -> Any:
    one = Input(data=Data(image=Image(base64=png(COLOURS[colour]))))
    request = service_pb2.PostModelOutputsRequest(model_id=model_id, inputs=[one], **more)
    return client.call("PostModelOutputs", request, expect=expect)


def row_of(client: Client, version_id: str) -> int:
    with client.server.store.read() as conn:
        found = conn.execute(select(t.model_versions.c.pk).where(t.model_versions.c.id == version_id)).scalar_one()
    return int(found)


# --- from labels to a version ---------------------------------------------------------------------


def test_a_model_of_no_type_is_trained_and_predicts(client: Client, lane: Jobs) -> None:
    model = post_model(client)
    assert model.model_type_id == "embedding-classifier"
    assert model.model_version.status.code == UNTRAINED
    assert predict(client, "red", expect=UNTRAINED).status.details.count("PostModelVersions")
    add_images(client, colours())
    reply = train(client, concepts=["red", "green", "blue"], exclusive=True)
    queued = reply.model.model_version
    assert queued.status.code == QUEUED
    assert queued.status.percent_completed == 0
    job = lane.turn()
    assert (job.state, job.done, job.total, job.message) == (jobs.COMPLETED, 100, 100, "")
    version = version_of(client, queued.id)
    assert (version.status.code, version.status.percent_completed) == (TRAINED, 100)
    assert names(version.output_info.data.concepts) == ["red", "green", "blue"]
    assert (version.active_concept_count, version.total_input_count) == (3, 12)
    assert version.completed_at.ToMicroseconds() >= version.created_at.ToMicroseconds()
    assert version.output_info.output_config.concepts_mutually_exclusive
    for colour in COLOURS:
        output = predict(client, colour).outputs[0]
        assert output.data.concepts[0].id == colour
        assert sum(c.value for c in output.data.concepts) <= 1.0001
        assert output.model.model_version.id == version.id
        assert {(c.app_id, c.user_id) for c in output.data.concepts} == {("app", client.user_id)}
    got = client.call("GetModel", service_pb2.GetModelRequest(model_id="m")).model
    assert got.model_version == version
    log = logs_of(client, version.id)
    assert "training begins" in log
    assert "vectors were missing for 12" in log
    assert "trained" in log


def test_one_concept_and_two_inputs_train_and_give_one_concept(client: Client, lane: Jobs) -> None:
    info = OutputInfo(data=Data(concepts=[Concept(id="red")]))
    post_model(client, info=info)
    add_images(client, [{"red": 1.0}, {"red": 1.0}])
    # No version given at all: what the model was posted with counts.
    reply = client.call("PostModelVersions", service_pb2.PostModelVersionsRequest(model_id="m"))
    lane.all()
    version = version_of(client, reply.model.model_version.id)
    assert version.status.code == TRAINED, version.status
    concepts = predict(client, "red").outputs[0].data.concepts
    assert names(concepts) == ["red"]
    assert 0 < concepts[0].value <= 1


def test_no_concepts_named_means_all_that_have_a_positive_label(client: Client, lane: Jobs) -> None:
    post_model(client)
    add_images(client, [*colours(2), {"grey": 0.0, "red": 1.0}])
    first = trained(client, lane)
    assert sorted(names(first.output_info.data.concepts)) == ["blue", "green", "red"]
    # The next one finds the labels that came since, though the version before it lists its concepts.
    add_images(client, [{"grey": 1.0}], start=50)
    second = trained(client, lane)
    assert sorted(names(second.output_info.data.concepts)) == ["blue", "green", "grey", "red"]
    assert version_of(client, first.id).output_info == first.output_info


def test_what_was_seen_and_how_it_was_chosen_is_kept(client: Client, lane: Jobs, server: Server) -> None:
    post_model(client)
    ids = add_images(client, colours(6))
    add_images(client, [{}, {}], start=100)
    version = trained(client, lane, concepts=["red", "blue"], exclusive=True)
    pk = row_of(client, version.id)
    with server.store.read() as conn:
        training = trainings.get(conn, pk)
        seen = trainings.seen(conn, pk)
        keys = dict(conn.execute(select(t.inputs.c.id, t.inputs.c.pk)).all())
    assert training is not None
    assert set(seen) == {keys[i] for i in [*ids[:6], *ids[12:]]}
    assert training.embedder == EMBEDDING.version_id
    assert training.report["inputs"] == 12
    assert training.report["labels"] == {"red": [6, 6], "blue": [6, 6]}
    head = Head.from_bytes(server.blobs.get(training.artifact))
    assert (head.concepts, head.exclusive) == (2, True)
    with np.load(io.BytesIO(server.blobs.get(training.report["folds"])), allow_pickle=False) as folds:
        assert folds["scores"].shape == folds["labels"].shape == (12, 2)
        assert folds["inputs"].tolist() == seen


def test_hyper_parameters_are_echoed_and_descriptions_kept(client: Client, lane: Jobs) -> None:
    post_model(client)
    add_images(client, colours(2))
    config = OutputConfig(hyper_params=struct(MAX_NITEMS=1000, custom_training_cfg="custom_training_1layer"))
    given = ModelVersion(output_info=OutputInfo(output_config=config), description="the first")
    reply = train(client, version=given)
    assert reply.model.model_version.output_info.output_config.hyper_params == config.hyper_params
    lane.all()
    version_id = reply.model.model_version.id
    change = ModelVersion(id=version_id, description="changed")
    request = service_pb2.PatchModelVersionsRequest(model_id="m", model_versions=[change], action="merge")
    patched = client.call("PatchModelVersions", request).model_versions[0]
    assert patched.description == "changed"
    assert (patched.status.code, patched.status.percent_completed, patched.total_input_count) == (TRAINED, 100, 6)
    assert patched.output_info.output_config.hyper_params == config.hyper_params
    assert "hyper_params" in logs_of(client, version_id)


@pytest.mark.parametrize("type_id", ["embedding-classifier", "knn-concept", "clusterer"])
def test_every_type_that_learns_trains_and_predicts(client: Client, lane: Jobs, type_id: str) -> None:
    post_model(client, type_id=type_id)
    put_vectors(client, {})
    add_images(client, colours(3))
    if type_id == "clusterer":
        # It learns from vectors alone, which labels have not to do with.
        post_model(client, "helper")
        trained(client, lane, "helper")
    version = trained(client, lane)
    assert version.status.code == TRAINED, version.status
    data = predict(client, "green").outputs[0].data
    if type_id == "clusterer":
        assert len(data.clusters) == 1
    else:
        assert data.concepts[0].id == "green"


def test_types_say_what_a_training_is_set_by(client: Client) -> None:
    reply = client.call("GetModelType", service_pb2.GetModelTypeRequest(model_type_id="embedding-classifier"))
    model_type = reply.model_type
    assert model_type.trainable
    assert model_type.creatable
    paths = {f.path: f for f in model_type.model_type_fields}
    assert {"train_info.params.seed", "output_info.data.concepts"} <= set(paths)
    assert not paths["output_info.output_config.concepts_mutually_exclusive"].default_value.bool_value
    # What the SDK makes of these, and sends.
    sent = struct(error=0.02, seed=3, closed_environment=False, head="linear", dataset_id="", dataset_version_id="")
    post_model(client)
    add_images(client, colours(2))
    given = ModelVersion(train_info=resources_pb2.TrainInfo(params=sent))
    given.output_info.params.update({"concepts_mutually_exclusive": True})
    version = train(client, version=given).model.model_version
    assert version.output_info.output_config.concepts_mutually_exclusive
    assert not version.output_info.params.fields
    assert version.train_info.params == sent


# --- as a node ------------------------------------------------------------------------------------


def node(node_id: str, model: Model, *before: str) -> WorkflowNode:
    return WorkflowNode(id=node_id, model=model, node_inputs=[NodeInput(node_id=b) for b in before])


EMBED = Model(id=EMBEDDING.id, user_id="clarifai", app_id="main")


def post_workflow(client: Client, *nodes: WorkflowNode, expect: int | None = 10000) -> Any:
    request = service_pb2.PostWorkflowsRequest(workflows=[Workflow(id="w", nodes=nodes)])
    return client.call("PostWorkflows", request, expect=expect)


def test_a_trained_version_is_a_node_behind_the_embedder(client: Client, lane: Jobs, server: Server) -> None:
    post_model(client)
    refused = post_workflow(client, node("e", EMBED), node("c", Model(id="m"), "e"), expect=UNTRAINED)
    assert "not trained" in refused.status.details
    add_images(client, colours())
    first = trained(client, lane, concepts=["red", "green", "blue"], exclusive=True)
    # Retraining: until it is done, what is trained is what a node means that names no version.
    second = train(client, concepts=["red", "green"]).model.model_version
    made = post_workflow(client, node("e", EMBED), node("c", Model(id="m"), "e")).workflows[0]
    assert made.nodes[1].model.model_version.id == first.id
    with server.store.write() as conn:
        jobs_of = jobs.unfinished(
            conn, conn.execute(select(t.apps.c.pk).where(t.apps.c.id == "app")).scalar_one(), "train"
        )
        assert len(jobs_of) == 1
    assert version_of(client, second.id).status.code == QUEUED
    one = Input(data=Data(image=Image(base64=png(COLOURS["blue"]))))
    request = service_pb2.PostWorkflowResultsRequest(workflow_id="w", inputs=[one])
    outputs = client.call("PostWorkflowResults", request).results[0].outputs
    assert outputs[1].data.concepts[0].id == "blue"
    # Its floor: what is below it, no node hands on.
    wide = node("c", Model(id="m"), "e")
    wide.output_info_override.output_config.min_value = 0.99
    change = service_pb2.PatchWorkflowsRequest(
        action="overwrite", workflows=[Workflow(id="w", nodes=[node("e", EMBED), wide])]
    )
    client.call("PatchWorkflows", change)
    shown = client.call("PostWorkflowResults", request).results[0].outputs[1].data.concepts
    assert all(c.value >= 0.99 for c in shown)
    other = node("c", Model(id="m"), "e")
    other.output_info_override.data.concepts.add(id="red", value=1)
    change.workflows[0].nodes[1].CopyFrom(other)
    assert "fixed" in client.call("PatchWorkflows", change, expect=ARGUMENT).status.details


def test_it_labels_as_the_default_workflow(client: Client, lane: Jobs, server: Server) -> None:
    from labelwright.annotator.worker import Annotator

    post_model(client)
    add_images(client, colours())
    version = trained(client, lane, concepts=["red", "green", "blue"], exclusive=True)
    writer = Model(
        id="writer",
        model_type_id="annotation-writer",
        output_info=OutputInfo(params=struct(annotation_status=24151)),
    )
    client.call("PostModels", service_pb2.PostModelsRequest(models=[writer]))
    post_workflow(client, node("e", EMBED), node("c", Model(id="m"), "e"), node("w", Model(id="writer"), "c"))
    app = resources_pb2.App(id="app", default_workflow_id="w")
    client.call("PatchApps", service_pb2.PatchAppsRequest(action="overwrite", apps=[app]))
    new = Input(id="new", data=Data(image=Image(base64=png(COLOURS["green"]))))
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[new]))
    annotator = Annotator(server.settings, server.store, server.blobs)
    while annotator.step():
        pass
    request = service_pb2.ListAnnotationsRequest(input_ids=["new"], list_all_annotations=True)
    written = [a for a in client.call("ListAnnotations", request).annotations if a.model_version_id]
    assert [a.model_version_id for a in written] == [version.id]
    assert max(written[0].data.concepts, key=lambda c: c.value).id == "green"


# --- how it can end otherwise ---------------------------------------------------------------------


def test_no_labels_is_a_status(client: Client, lane: Jobs) -> None:
    post_model(client)
    for concepts in ([], ["nobody"]):
        version = trained(client, lane, concepts=concepts)
        assert version.status.code == NO_DATA
        assert "annotations" in version.status.details
        assert version.HasField("completed_at")
    # What nothing can embed is no data either, and says so.
    texts = [Input(id="text", data=Data(text=resources_pb2.Text(raw="a text"), concepts=[Concept(id="red", value=1)]))]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=texts))
    version = trained(client, lane)
    assert version.status.code == NO_DATA
    assert "general-image-embedding" in version.status.details
    assert "'text'" in logs_of(client, version.id)


def test_no_positives_is_a_status(client: Client, lane: Jobs) -> None:
    post_model(client)
    add_images(client, [{"red": 1.0}, {"red": 0.0, "green": 0.0}])
    version = trained(client, lane, concepts=["red", "green"])
    assert version.status.code == NO_POSITIVES
    assert "'green'" in version.status.details
    assert "it ended without a model" in logs_of(client, version.id)


def test_one_class_against_none_is_a_status(client: Client, lane: Jobs) -> None:
    post_model(client)
    add_images(client, [{"red": 1.0}, {"red": 1.0}])
    version = trained(client, lane, concepts=["red"], exclusive=True)
    assert version.status.code == SINGLE_CLASS
    assert "concepts_mutually_exclusive" in version.status.details


def test_a_training_that_takes_too_long_is_ended(client: Client, lane: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelwright.training import train_job

    post_model(client)
    add_images(client, colours(2))
    config = OutputConfig(training_timeout=5)
    version_id = train(
        client, version=ModelVersion(output_info=OutputInfo(output_config=config))
    ).model.model_version.id
    clock = iter(range(0, 10**15, 6_000_000))
    monkeypatch.setattr(train_job, "now", lambda: next(clock))
    lane.all()
    version = version_of(client, version_id)
    assert version.status.code == TIMED_OUT
    assert "5 s" in version.status.details


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"train_info": {"params": struct(epochs=5)}}, INVALID_PARAMS, "'epochs'"),
        ({"train_info": {"params": struct(error=0.7)}}, INVALID_PARAMS, "below 0.5"),
        ({"train_info": {"params": struct(seed=-1)}}, INVALID_PARAMS, "whole number"),
        ({"train_info": {"params": struct(head="deep")}}, INVALID_PARAMS, "neighbours"),
        ({"train_info": {"params": struct(dataset_id="d")}}, INVALID_PARAMS, "no datasets"),
        ({"train_info": {"dataset": resources_pb2.Dataset(id="d")}}, INVALID_PARAMS, "no datasets"),
        ({"train_info": {"resume_from_model": Model(id="m")}}, ARGUMENT, "begins anew"),
        ({"output_info": {"params": struct(odd=1)}}, ARGUMENT, "'odd'"),
        ({"output_info": {"data": Data(concepts=[Concept(id="a"), Concept(id="a")])}}, ARGUMENT, "twice"),
        ({"output_info": {"data": Data(concepts=[Concept(name="a")])}}, ARGUMENT, "without an id"),
        ({"output_info": {"output_config": OutputConfig(embed_model_version_id="v")}}, ARGUMENT, "'v'"),
        ({"input_info": {"base_embed_model": Model(id="nothing")}}, 21200, "'nothing'"),
        ({"input_info": {"base_embed_model": Model(id="general-image-recognition")}}, ARGUMENT, "no embeddings"),
        ({"pretrained_model_config": {"model_zip_url": "https://x"}}, ARGUMENT, "can't be uploaded"),
    ],
)
def test_what_can_not_be_trained_is_refused_when_it_is_posted(
    client: Client, given: dict[str, Any], code: int, said: str
) -> None:
    post_model(client)
    reply = train(client, version=ModelVersion(**given), expect=code)
    assert said in reply.status.details
    listed = client.call("ListModelVersions", service_pb2.ListModelVersionsRequest(model_id="m"))
    assert [v.status.code for v in listed.model_versions] == [UNTRAINED]


def test_a_broken_fit_ends_with_words_and_its_neighbour_trains(
    client: Client, lane: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelwright.training import heads

    post_model(client)
    add_images(client, colours(2))
    with monkeypatch.context() as patched:
        patched.setattr(heads, "fit", lambda *_, **__: 1 / 0)
        version = trained(client, lane)
    assert version.status.code == FAILED
    assert "ZeroDivisionError" in version.status.details
    assert trained(client, lane).status.code == TRAINED


def test_a_training_that_kills_its_process_again_and_again_is_given_up(
    client: Client, lane: Jobs, server: Server
) -> None:
    post_model(client)
    add_images(client, colours(2))
    version_id = train(client).model.model_version.id
    for _ in range(4):
        job = lane.claim()
        assert job is not None
        from labelwright.store import queue

        with server.store.write() as conn:
            queue.take_away(conn, job.lease)
    lane.all()
    version = version_of(client, version_id)
    assert version.status.code == FAILED
    assert "died 4 times" in version.status.details


def test_one_that_dies_over_the_labels_is_given_up_before_it_reads_them_again(
    client: Client, lane: Jobs, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelwright.store import queue
    from labelwright.training import labels

    class Dead(BaseException):
        """The end of a process."""

    def dies(*_: Any, **__: Any) -> None:
        raise Dead

    post_model(client)
    add_images(client, colours(2))
    version_id = train(client).model.model_version.id
    monkeypatch.setattr(labels, "concepts_with_positives", dies)
    for _ in range(4):
        job = lane.claim()
        assert job is not None
        carrier = lane.carriers.of(job.kind)
        assert carrier is not None
        with pytest.raises(Dead):
            carrier.carry(job)
        with server.store.write() as conn:
            queue.take_away(conn, job.lease)
    lane.all()
    version = version_of(client, version_id)
    assert version.status.code == FAILED
    assert "died 4 times" in version.status.details


# --- stops, deletions -----------------------------------------------------------------------------


def test_a_stop_in_the_middle_of_a_fit_gives_the_job_back(
    client: Client, lane: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from labelwright.training import heads

    post_model(client)
    add_images(client, colours(2))
    version_id = train(client).model.model_version.id
    fit, begun, left = heads.fit, threading.Event(), threading.Event()

    def slow(*args: Any, progress: Any, **more: Any) -> Any:
        begun.set()
        try:
            while True:
                progress(0.5, "half")
        finally:
            left.set()

    with monkeypatch.context() as patched:
        patched.setattr(heads, "fit", slow)
        job = lane.turn(stop=begun.is_set)
    # A fit that nobody waits for any more ends at its next word.
    assert left.wait(10)
    assert job.state == jobs.QUEUED
    assert version_of(client, version_id).status.code == TRAINING
    assert fit is heads.fit
    lane.all()
    assert version_of(client, version_id).status.code == TRAINED


def test_a_turn_that_is_over_leaves_the_vectors_it_made(
    client: Client, lane: Jobs, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelwright.training import embedders

    monkeypatch.setattr(embedders, "AT_ONCE", 2)
    post_model(client)
    add_images(client, colours(2))
    version_id = train(client).model.model_version.id
    turns = 0
    while lane.turn(turn=0).state != jobs.COMPLETED:
        turns += 1
        with server.store.read() as conn:
            have = conn.execute(select(func.count()).select_from(t.embeddings)).scalar_one()
        assert have == 2 * turns
        assert version_of(client, version_id).status.percent_completed > 0
    assert turns == 2


@pytest.mark.parametrize("by", ["version", "model", "models", "app"])
def test_deleting_what_trains_ends_it_and_leaves_nothing(
    client: Client, lane: Jobs, server: Server, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelwright.training import heads

    post_model(client)
    add_images(client, colours(2))
    version_id = train(client).model.model_version.id
    pk = row_of(client, version_id)
    requests = {
        "version": ("DeleteModelVersion", service_pb2.DeleteModelVersionRequest(model_id="m", version_id=version_id)),
        "model": ("DeleteModel", service_pb2.DeleteModelRequest(model_id="m")),
        "models": ("DeleteModels", service_pb2.DeleteModelsRequest(delete_all=True)),
        "app": ("DeleteApp", service_pb2.DeleteAppRequest()),
    }
    fit = heads.fit

    def deleted_meanwhile(*args: Any, **more: Any) -> Any:
        client.call(*requests[by])
        return fit(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(heads, "fit", deleted_meanwhile)
        job = lane.claim()
        assert job is not None
        carrier = lane.carriers.of("train")
        assert carrier is not None
        carrier.carry(job)
    with server.store.read() as conn:
        assert not jobs.waiting(conn)
        assert trainings.get(conn, pk) is None
        assert conn.execute(select(func.count()).select_from(t.training_inputs)).scalar_one() == 0
        after = jobs.get(conn, job.id)
        assert after is None if by == "app" else (after is not None and after.state == jobs.BROKEN)
    for key in (trainings.head_key, trainings.folds_key):
        assert not server.blobs.exists(key(job.app, pk))


def test_deleting_a_trained_version_removes_its_arrays(client: Client, lane: Jobs, server: Server) -> None:
    post_model(client)
    add_images(client, colours(2))
    version = trained(client, lane)
    pk = row_of(client, version.id)
    with server.store.read() as conn:
        training = trainings.get(conn, pk)
    assert training is not None
    assert server.blobs.exists(training.artifact)
    request = service_pb2.DeleteModelVersionRequest(model_id="m", version_id=version.id)
    client.call("DeleteModelVersion", request)
    assert not server.blobs.exists(training.artifact)
    assert not server.blobs.exists(training.report["folds"])


# --- logs -----------------------------------------------------------------------------------------


def test_logs_are_listed_by_page_and_only_of_trainings(client: Client, lane: Jobs) -> None:
    post_model(client)
    add_images(client, colours(2))
    version = trained(client, lane)
    whole = logs_of(client, version.id).splitlines()
    assert len(whole) >= 3
    request = service_pb2.ListLogEntriesRequest(model_id="m", page=1, per_page=2)
    page = client.call("ListLogEntries", request)
    assert [e.message for e in page.log_entries] == whole[:2]
    assert {e.meta.model_version_id for e in page.log_entries} == {version.id}
    last = client.call("ListLogEntries", service_pb2.ListLogEntriesRequest(model_id="m", per_page=2))
    assert last.log_entries[-1].message == whole[-1]
    request.log_type = "runner"
    assert "training" in client.call("ListLogEntries", request, expect=11102).status.details
    assert "model_id" in client.call("ListLogEntries", service_pb2.ListLogEntriesRequest(), expect=11102).status.details


def test_patching_what_it_learns_makes_an_untrained_version(client: Client, lane: Jobs) -> None:
    post_model(client)
    add_images(client, colours(2))
    version = trained(client, lane)
    change = Model(id="m", output_info=OutputInfo(data=Data(concepts=[Concept(id="red"), Concept(id="blue")])))
    request = service_pb2.PatchModelsRequest(action="overwrite", models=[change])
    patched = client.call("PatchModels", request).models[0].model_version
    assert (patched.status.code, names(patched.output_info.data.concepts)) == (UNTRAINED, ["red", "blue"])
    # Until it is trained, the one before it answers.
    assert predict(client, "red").outputs[0].model.model_version.id == version.id
    assert predict(client, "red", version_id=patched.id, expect=UNTRAINED)
    trained_now = trained(client, lane)
    assert names(trained_now.output_info.data.concepts) == ["red", "blue"]
    assert set(names(predict(client, "red").outputs[0].data.concepts)) <= {"red", "blue"}


def test_labels_of_others_count_against_a_concept_that_nobody_said_no_to(client: Client, server: Server) -> None:
    ids = add_images(client, [{"red": 1.0}, {"green": 1.0}, {"blue": 1.0, "green": 0.0}])
    keys = put_vectors(client, {i: [float(n), 1.0] for n, i in enumerate(ids)})
    with server.store.read() as conn:
        app = conn.execute(select(t.apps.c.pk).where(t.apps.c.id == "app")).scalar_one()
        open_ = labels.examples(conn, app, ["red", "green"], EMBEDDING.version_id, exclusive=False)
        closed = labels.examples(conn, app, ["red", "green"], EMBEDDING.version_id, exclusive=False, closed=True)
        one = labels.examples(conn, app, ["red", "green"], EMBEDDING.version_id, exclusive=True)
    nan = np.nan
    np.testing.assert_array_equal(open_.labels, [[1, nan], [0, 1], [0, 0]])
    np.testing.assert_array_equal(closed.labels, [[1, nan], [nan, 1], [nan, 0]])
    np.testing.assert_array_equal(one.labels, [[1, 0], [0, 1], [nan, 0]])
    assert open_.inputs.tolist() == [keys[i] for i in ids]
    assert open_.vectors.tolist() == [[0, 1], [1, 1], [2, 1]]
