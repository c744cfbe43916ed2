"""Evaluations through the API: asked for, carried, looked at in all the ways there are."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from clarifai_grpc.grpc.api import resources_pb2 as r
from clarifai_grpc.grpc.api import service_pb2 as s
from clarifai_grpc.grpc.api.status import status_pb2

from labelwright.annotator.lane import Carriers, Lane
from labelwright.errors import DoesNotExist, LabelwrightError
from labelwright.models.catalogue import PEOPLE, RECOGNITION
from labelwright.protocol import evaluation_page
from labelwright.protocol.dispatch import call_of
from labelwright.review.api import SHOWS, TABLE
from labelwright.store import apps, concepts, evaluations, inputs, jobs, models, queue, trainings
from labelwright.training.train_job import pack_folds
from tests.conftest import Client
from tests.integration.some_trainings import Jobs

EVALUATED, QUEUED, NOT_EVALUATED, FAILED, NEEDS_LABELS = 21300, 21303, 21302, 21317, 21315
PLACES = 1e-4

EVERYTHING = r.FieldsValue(
    confusion_matrix=True, cooccurrence_matrix=True, label_counts=True, binary_metrics=True, test_set=True
)


def near(value: float) -> Any:
    """The store keeps five places."""
    return pytest.approx(value, abs=PLACES)


def add_inputs(client: Client, count: int) -> list[str]:
    """Texts, or what stands for them."""
    ids = [f"input-{i}" for i in range(count)]
    given = [r.Input(id=i, data=r.Data(text=r.Text(raw=i))) for i in ids]
    client.call("PostInputs", s.PostInputsRequest(inputs=given))
    return ids


def label(client: Client, said: Sequence[tuple[str, str, float]]) -> None:
    """Input, concept, value."""
    given = [
        r.Annotation(
            input_id=i,
            data=r.Data(concepts=[r.Concept(id=c, value=v)]),
            status=status_pb2.Status(code=24150),
        )
        for i, c, v in said
    ]
    client.call("PostAnnotations", s.PostAnnotationsRequest(annotations=given))


def trained(
    client: Client, named: Sequence[str], rows: Sequence[str], scores: Any, *, exclusive: bool, model: str = "head"
) -> str:
    """A version as training leaves it behind; its id."""
    with client.server.store.write() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        info = r.OutputInfo(data=r.Data(concepts=[r.Concept(id=c, name=c) for c in named]))
        info.output_config.concepts_mutually_exclusive = exclusive
        found = models.get(conn, app.pk, model)
        pk = (
            found.pk
            if found
            else models.add(conn, app.pk, id=model, name=model, model_type_id="embedding-classifier", wire=b"")
        )
        wire = r.ModelVersion(output_info=info).SerializeToString()
        version = models.add_version(conn, pk, status_code=21100, wire=wire)
        keys = inputs.keys(conn, app.pk, rows)
        order = [keys[i] for i in rows]
        trainings.add(conn, app.pk, version, {"exclusive": exclusive})
        for job in jobs.unfinished(conn, app.pk, "train"):
            jobs.end(conn, job.pk, jobs.COMPLETED)
        folds = trainings.folds_key(app.pk, version)
        trainings.change(conn, version, embedder="an-embedder", report={"folds": folds, "kind": "linear"})
        trainings.saw(conn, version, order)
        from labelwright.store import labels as stored

        stored.put_embeddings(conn, [(pk, "an-embedder", np.ones(4, np.float32)) for pk in order])
        made = models.version(conn, models.get(conn, app.pk, model).pk)  # type: ignore[union-attr]
    client.server.blobs.put(folds, pack_folds(np.array(order), np.zeros_like(scores), np.array(scores, np.float32)))
    assert made is not None
    return str(made.id)


def carry(client: Client, stop: Callable[[], bool] = lambda: False, turn: float = 60) -> None:
    """What the process of the long work does, until nothing waits."""
    server = client.server
    carriers = Carriers(Lane(server.settings, server.store, server.blobs))
    for _ in range(20):
        with server.store.write() as conn:
            job = jobs.claim(conn, queue.this_process(), seconds=60)
        if job is None:
            return
        carrier = carriers.of(job.kind)
        assert carrier is not None
        carrier.carry(job, stop, turn)
        if stop():
            return
    raise AssertionError("it does not come to an end")


def three_concepts(client: Client) -> tuple[str, list[str]]:
    """A version of three exclusive concepts that is right four times of six."""
    ids = add_inputs(client, 6)
    label(client, [(i, c, 1) for i, c in zip(ids, ("cat", "cat", "cat", "dog", "dog", "cow"), strict=True)])
    scores = [
        [0.8, 0.1, 0.1],
        [0.6, 0.3, 0.1],
        [0.2, 0.7, 0.1],
        [0.1, 0.8, 0.1],
        [0.9, 0.05, 0.05],
        [0.1, 0.1, 0.8],
    ]
    return trained(client, ["cat", "dog", "cow"], ids, scores, exclusive=True), ids


def evaluation_of(client: Client, version: str, **more: Any) -> r.EvalMetrics:
    model = r.Model(id="head", model_version=r.ModelVersion(id=version))
    given = r.EvalMetrics(model=model, **more)
    reply = client.call("PostEvaluations", s.PostEvaluationsRequest(eval_metrics=[given]))
    made: r.EvalMetrics = reply.eval_metrics[0]
    return made


def get(client: Client, evaluation_id: str, fields: r.FieldsValue | None = None) -> r.EvalMetrics:
    request = s.GetEvaluationRequest(evaluation_id=evaluation_id, fields=fields)
    found: r.EvalMetrics = client.call("GetEvaluation", request).eval_metrics
    return found


def test_metrics_of_a_version_from_queue_to_figures(client: Client) -> None:
    version, _ = three_concepts(client)
    at: Any = {"model_id": "head", "version_id": version}
    before = client.call("GetModelVersionMetrics", s.GetModelVersionMetricsRequest(**at)).model_version
    assert before.metrics.status.code == NOT_EVALUATED
    assert before.id == version
    asked = client.call("PostModelVersionMetrics", s.PostModelVersionMetricsRequest(**at)).model_version
    assert asked.metrics.status.code == QUEUED
    again = client.call("PostModelVersionMetrics", s.PostModelVersionMetricsRequest(**at)).model_version
    assert again.metrics.id == asked.metrics.id
    carry(client)
    done = client.call("GetModelVersionMetrics", s.GetModelVersionMetricsRequest(**at)).model_version.metrics
    assert (done.id, done.status.code) == (asked.metrics.id, EVALUATED)
    assert done.summary.top1_accuracy == near(4 / 6)
    assert done.summary.top5_accuracy == 1
    # cat 2 of 3 with one false alarm, dog 1 of 2 with one, cow 1 of 1
    assert done.summary.macro_avg_f1_score == near((2 / 3 + 1 / 2 + 1) / 3)
    assert done.summary.macro_avg_recall == near((2 / 3 + 1 / 2 + 1) / 3)
    assert not done.binary_metrics
    assert not done.HasField("confusion_matrix")
    assert not done.test_set
    own: Any = done.extended_metrics.user_metrics["labelwright"]
    assert own["accuracy"] == near(4 / 6)
    assert own["way"] == "folds"
    third = client.call("PostModelVersionMetrics", s.PostModelVersionMetricsRequest(**at)).model_version.metrics
    assert third.id != done.id


def test_everything_that_can_be_asked_for(client: Client) -> None:
    version, ids = three_concepts(client)
    made = evaluation_of(client, version, id="first")
    assert (made.id, made.status.code, made.model.model_version.id) == ("first", QUEUED, version)
    carry(client)
    done = get(client, "first", EVERYTHING)
    assert done.model.id == "head"
    assert done.model.model_type_id == "embedding-classifier"
    cells = {(e.actual_concept.id, e.predicted_concept.id): e.value for e in done.confusion_matrix.matrix}
    assert cells["cat", "cat"] == near(2 / 3)
    assert cells["cat", "dog"] == near(1 / 3)
    assert cells["dog", "cat"] == near(1 / 2)
    assert cells["cow", "cow"] == 1
    assert list(done.confusion_matrix.concept_ids) == ["cow", "cat", "dog"]
    both = {(e.row, e.col): e.count for e in done.cooccurrence_matrix.matrix}
    assert both == {("cat", "cat"): 3, ("dog", "dog"): 2, ("cow", "cow"): 1}
    assert {c.concept.id: c.count for c in done.label_counts.positive_label_counts} == {"cat": 3, "dog": 2, "cow": 1}
    cat = next(m for m in done.binary_metrics if m.concept.id == "cat")
    assert (cat.num_pos, cat.num_neg, cat.num_tot) == (3, 3, 6)
    assert cat.roc_auc == near(6 / 9)
    assert cat.f1 == near(2 / 3)
    # As the clients look into curves: two places, one length for all.
    for metric in done.binary_metrics:
        for curve in (metric.precision_recall_curve, metric.roc_curve):
            assert [round(t, 2) for t in curve.thresholds] == [i / 100 for i in range(101)]
    assert cat.precision_recall_curve.recall[50] == near(2 / 3)
    assert cat.precision_recall_curve.precision[50] == near(2 / 3)
    assert cat.roc_curve.fpr[50] == near(1 / 3)
    # The worst first, with what it is.
    worst = done.test_set[0]
    assert worst.input.id == ids[4]
    assert worst.input.data.text.raw == ids[4]
    assert (worst.predicted_concepts[0].id, worst.predicted_concepts[0].value) == ("cat", near(0.9))
    assert [(c.id, c.value) for c in worst.ground_truth_concepts] == [("dog", 1)]
    assert len(done.test_set) == 6


def test_a_corrected_label_counts_as_it_is_now(client: Client) -> None:
    version, ids = three_concepts(client)
    label(client, [(ids[4], "dog", 0), (ids[4], "cat", 1)])
    made = evaluation_of(client, version)
    carry(client)
    assert get(client, made.id).summary.top1_accuracy == near(5 / 6)


def test_one_concept_and_two_inputs(client: Client) -> None:
    ids = add_inputs(client, 2)
    label(client, [(ids[0], "cat", 1), (ids[1], "cat", 0)])
    version = trained(client, ["cat"], ids, [[0.9], [0.1]], exclusive=False)
    made = evaluation_of(client, version)
    carry(client)
    done = get(client, made.id, EVERYTHING)
    assert done.status.code == EVALUATED
    assert done.summary.macro_avg_roc_auc == 1
    assert len(done.binary_metrics) == 1


def test_evaluations_of_a_version_are_its_own(client: Client) -> None:
    version, ids = three_concepts(client)
    other = trained(client, ["cat", "dog", "cow"], ids, np.eye(3)[[0, 0, 0, 1, 1, 2]], exclusive=True)
    at: Any = {"model_id": "head", "model_version_id": version}
    given = s.PostModelVersionEvaluationsRequest(eval_metrics=[r.EvalMetrics(id="mine")], **at)
    assert client.call("PostModelVersionEvaluations", given).eval_metrics[0].id == "mine"
    evaluation_of(client, other, id="theirs")
    carry(client)
    listed = client.call("ListModelVersionEvaluations", s.ListModelVersionEvaluationsRequest(**at)).eval_metrics
    assert [e.id for e in listed] == ["mine"]
    request = s.GetModelVersionEvaluationRequest(evaluation_id="mine", fields=r.FieldsValue(label_counts=True), **at)
    found = client.call("GetModelVersionEvaluation", request).eval_metrics
    assert len(found.label_counts.positive_label_counts) == 3
    assert not found.binary_metrics
    request.evaluation_id = "theirs"
    client.call("GetModelVersionEvaluation", request, expect=11101)

    def ids_by(**given: Any) -> list[str]:
        reply = client.call("ListEvaluations", s.ListEvaluationsRequest(**given))
        return [e.id for e in reply.eval_metrics]

    assert ids_by() == ["theirs", "mine"]
    assert ids_by(sort_by_f1=True) == ["theirs", "mine"]
    assert ids_by(sort_by_f1=True, sort_ascending=True) == ["mine", "theirs"]
    for order in ("app_id", "model_id", "roc_auc", "precision", "recall", "mean_avg_precision"):
        assert ids_by(**{f"sort_by_{order}": True}) == ["theirs", "mine"], order
    assert ids_by(per_page=1, page=2) == ["mine"]
    assert ids_by(model_type_id="knn-concept") == []
    assert ids_by(concept_ids=["cat", "cow"]) == ["theirs", "mine"]
    assert ids_by(concept_ids=["horse"]) == []
    assert ids_by(eval_dataset_ids=["x"]) == []


def test_a_version_that_was_not_trained_here_is_run(client: Client) -> None:
    _, picture = cv2.imencode(".png", np.full((64, 64, 3), 200, np.uint8))
    ids = ["blank", "more", "unlabelled"]
    given = [r.Input(id=i, data=r.Data(image=r.Image(base64=picture.tobytes()))) for i in ids]
    client.call("PostInputs", s.PostInputsRequest(inputs=given))
    label(client, [("blank", PEOPLE.id, 0), ("more", PEOPLE.id, 1)])
    model = r.Model(id="general-image-recognition", model_version=r.ModelVersion(id=RECOGNITION.version_id))
    everything = r.EvalMetrics(id="all", model=model)
    named = r.EvalMetrics(id="some", model=model)
    named.eval_info.params.update({"inputs": ["more"]})
    none = r.EvalMetrics(id="none", model=model)
    none.eval_info.params.update({"inputs": ["unlabelled"]})
    client.call("PostEvaluations", s.PostEvaluationsRequest(eval_metrics=[everything, named, none]))
    carry(client, turn=0)
    done = get(client, "all", EVERYTHING)
    assert done.status.code == EVALUATED, done.status
    (metric,) = done.binary_metrics
    assert (metric.num_pos, metric.num_neg) == (1, 1)
    assert metric.f1 == 0
    assert done.test_set[0].input.id == "more"
    own: Any = done.extended_metrics.user_metrics["labelwright"]
    assert own["way"] == "running"
    assert get(client, "some", EVERYTHING).binary_metrics[0].num_tot == 1
    assert get(client, "some").eval_info.params["inputs"] == ["more"]
    missing = get(client, "none")
    assert missing.status.code == NEEDS_LABELS
    assert "label by a person" in missing.status.details
    failed = client.call("ListEvaluations", s.ListEvaluationsRequest(show_failed_metrics=True)).eval_metrics
    assert [e.id for e in failed] == ["none", "some", "all"]
    shown = client.call("ListEvaluations", s.ListEvaluationsRequest()).eval_metrics
    assert [e.id for e in shown] == ["some", "all"]


def test_what_a_version_was_trained_on_is_no_evidence_when_it_is_run(client: Client) -> None:
    version, ids = three_concepts(client)
    made = r.EvalMetrics()
    made.eval_info.params.update({"inputs": ids[:2]})
    asked = evaluation_of(client, version, eval_info=made.eval_info)
    carry(client)
    done = get(client, asked.id)
    assert done.status.code == NEEDS_LABELS
    assert "trained on all 2" in done.status.details


def test_the_same_id_is_evaluated_anew(client: Client) -> None:
    version, ids = three_concepts(client)
    evaluation_of(client, version, id="one")
    evaluation_of(client, version, id="one")
    carry(client)
    label(client, [(ids[4], "dog", 0), (ids[4], "cat", 1)])
    evaluation_of(client, version, id="one")
    assert get(client, "one").status.code == QUEUED
    carry(client)
    assert get(client, "one").summary.top1_accuracy == near(5 / 6)
    listed = client.call("ListEvaluations", s.ListEvaluationsRequest()).eval_metrics
    assert [e.id for e in listed] == ["one"]


def test_what_the_client_keeps_with_it_comes_back(client: Client) -> None:
    version, _ = three_concepts(client)
    given = r.EvalMetrics()
    given.extended_metrics.user_metrics.update({"author": "me", "n": [1, 2]})
    evaluation_of(client, version, id="one", extended_metrics=given.extended_metrics)
    carry(client)
    kept: Any = get(client, "one").extended_metrics.user_metrics
    assert kept["author"] == "me"
    assert list(kept["n"]) == [1, 2]
    assert "labelwright" in kept


def test_a_stop_loses_nothing(client: Client) -> None:
    _, picture = cv2.imencode(".png", np.full((64, 64, 3), 200, np.uint8))
    given = [r.Input(id="blank", data=r.Data(image=r.Image(base64=picture.tobytes())))]
    client.call("PostInputs", s.PostInputsRequest(inputs=given))
    label(client, [("blank", PEOPLE.id, 0)])
    model = r.Model(id="general-image-recognition", model_version=r.ModelVersion(id=RECOGNITION.version_id))
    asked = s.PostEvaluationsRequest(eval_metrics=[r.EvalMetrics(id="one", model=model)])
    client.call("PostEvaluations", asked)
    carry(client, stop=lambda: True)
    assert get(client, "one").status.code == QUEUED
    carry(client)
    assert get(client, "one").status.code == EVALUATED


def test_damaged_folds_end_it_with_a_reason(client: Client) -> None:
    version, _ = three_concepts(client)
    with client.server.store.read() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        (row,) = models.version_page(conn, models.get(conn, app.pk, "head").pk, offset=0, limit=1)  # type: ignore[union-attr]
    hostile = io.BytesIO()
    np.savez(hostile, inputs=np.array([object()], dtype=object), scores=np.zeros((1, 3)))
    for data in (b"nonsense", hostile.getvalue(), pack_folds(np.zeros(2), np.zeros((2, 3)), np.zeros((2, 1)))):
        client.server.blobs.put(trainings.folds_key(app.pk, row.pk), data)
        made = evaluation_of(client, version)
        carry(client)
        done = get(client, made.id)
        assert done.status.code == FAILED
        assert "Traceback" not in done.status.details
        assert done.status.details


def test_what_is_refused_says_what_is_legal(client: Client) -> None:
    version, ids = three_concepts(client)
    with client.server.store.write() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        concepts.ensure(conn, app.pk, {"x": "x"})
    threshold = r.Model(
        id="threshold",
        model_type_id="concept-threshold",
        output_info=r.OutputInfo(data=r.Data(concepts=[r.Concept(id="x", value=0.5)])),
    )
    threshold.output_info.params.update({"concept_threshold_type": 1})
    made = client.call("PostModels", s.PostModelsRequest(models=[threshold])).model

    def refused(given: r.EvalMetrics, code: int, part: str) -> None:
        reply = client.call("PostEvaluations", s.PostEvaluationsRequest(eval_metrics=[given]), expect=code)
        assert part in reply.status.details

    head = r.Model(id="head", model_version=r.ModelVersion(id=version))
    refused(r.EvalMetrics(), 11102, "model is incomplete")
    refused(r.EvalMetrics(model=r.Model(id="nosuch", model_version=r.ModelVersion(id="x"))), 21200, "nosuch")
    refused(r.EvalMetrics(model=r.Model(id="head", model_version=r.ModelVersion(id="x"))), 21200, "no version 'x'")
    refused(r.EvalMetrics(model=made), 21203, "embedding-classifier")
    refused(r.EvalMetrics(model=head, ground_truth_dataset=r.Dataset(id="d")), 11102, "datasets are not served yet")
    refused(r.EvalMetrics(model=head, id="no id!"), 11102, "evaluation id")
    for params, part in (
        ({"folds": 3}, "legal is inputs"),
        ({"inputs": "all"}, "something else"),
        ({"inputs": []}, "1 to 10000"),
        ({"inputs": [1]}, "something else"),
        ({"inputs": [ids[0], "nosuch"]}, "no input 'nosuch'"),
    ):
        given = r.EvalMetrics(model=head)
        given.eval_info.params.update(params)
        refused(given, 11102, part)
    client.call("PostEvaluations", s.PostEvaluationsRequest(), expect=11102)
    client.call("GetEvaluation", s.GetEvaluationRequest(evaluation_id="nosuch"), expect=11101)
    search = s.PostModelVersionMetricsRequest(model_id="head", version_id=version, test_search=r.Search(id="x"))
    client.call("PostModelVersionMetrics", search, expect=11102)
    # Nothing of all this has been queued.
    assert not client.call("ListEvaluations", s.ListEvaluationsRequest(show_failed_metrics=True)).eval_metrics


def test_a_version_that_is_not_trained_is_not_evaluated(client: Client) -> None:
    version, _ = three_concepts(client)
    with client.server.store.write() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        row = models.version(conn, models.get(conn, app.pk, "head").pk, version)  # type: ignore[union-attr]
        assert row is not None
        models.change_version(conn, row.pk, status_code=21101)
    at = s.PostModelVersionMetricsRequest(model_id="head", version_id=version)
    assert "not trained" in client.call("PostModelVersionMetrics", at, expect=21203).status.details


class Dead(BaseException):
    """The end of a process."""


class Sees:
    """Sees nothing in any input, and takes its process along with one of them."""

    def __init__(self, deadly: str = "") -> None:
        self.deadly, self.seen = deadly, list[str]()

    def run(self, task: Any) -> list[LabelwrightError]:
        ids = [given[0] for given in task.inputs]
        if self.deadly in ids:
            raise Dead
        self.seen += ids
        return [LabelwrightError("nothing to be seen") for _ in ids]


def recognised(client: Client, **more: Any) -> None:
    """Ask for the evaluation of a model that was not trained here."""
    version = r.ModelVersion(id=RECOGNITION.version_id)
    model = r.Model(id="general-image-recognition", app_id="main", user_id="clarifai", model_version=version)
    given = r.EvalMetrics(id="one", model=model)
    client.call("PostEvaluations", s.PostEvaluationsRequest(eval_metrics=[given], **more))


def people_labelled(client: Client, count: int) -> list[str]:
    ids = add_inputs(client, count)
    label(client, [(i, PEOPLE.id, n % 2) for n, i in enumerate(ids)])
    return ids


def in_batches(client: Client, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(client.server.settings.__dict__, "batch", size)


def evaluates(lane: Jobs) -> tuple[Any, Any]:
    """The next job, and what carries it."""
    job = lane.claim()
    assert job is not None
    return job, lane.carriers.of(job.kind)


def test_an_input_that_kills_in_a_later_batch_ends_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = people_labelled(client, 8)
    in_batches(client, 3, monkeypatch)
    recognised(client)
    for _ in range(queue.MAX_STRIKES):
        job, carrier = evaluates(Jobs(client.server))
        carrier._forecaster = Sees(deadly=ids[5])
        with pytest.raises(Dead):
            carrier.carry(job)
        with client.server.store.write() as conn:
            queue.take_away(conn, job.lease)
    assert Jobs(client.server).turn().state == jobs.BROKEN
    ended = get(client, "one").status
    assert ended.code == FAILED
    assert "died 3 times" in ended.details


def test_what_is_under_way_is_dropped_on_every_way_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    people_labelled(client, 8)
    in_batches(client, 3, monkeypatch)
    lane = Jobs(client.server)
    recognised(client)
    job, carrier = evaluates(lane)
    carrier._forecaster = Sees()
    carrier.carry(job, turn=0)
    assert list(carrier._under) == [job.id]
    # Asked for anew while it waited: nobody claims the first job again.
    recognised(client)
    second, _ = evaluates(lane)
    assert second.id != job.id
    carrier.carry(second, turn=0)
    assert list(carrier._under) == [second.id]
    # Taken over by another process: what that one notes is left alone.
    third, _ = evaluates(lane)
    with client.server.store.write() as conn:
        queue.take_away(conn, third.lease)
    carrier.carry(third)
    assert not carrier._under
    # The app is gone, and its successor may have its keys.
    fourth, _ = evaluates(lane)
    carrier.carry(fourth, turn=0)
    client.call("DeleteApp", s.DeleteAppRequest(user_app_id=client.user_app_id))
    client.call("PostApps", s.PostAppsRequest(apps=[r.App(id="app")]))
    ids = people_labelled(client, 2)
    recognised(client)
    fifth, _ = evaluates(lane)
    carrier._forecaster = Sees()
    carrier.carry(fifth)
    assert carrier._forecaster.seen == ids
    assert not carrier._under


def test_a_version_trained_in_another_app_is_run_on_the_labels_of_this_one(client: Client) -> None:
    version, _ = three_concepts(client)
    there = r.UserAppIDSet(user_id=client.user_app_id.user_id, app_id="other")
    client.call("PostApps", s.PostAppsRequest(apps=[r.App(id="other")]))
    given = [
        r.Input(id=f"other-{i}", data=r.Data(text=r.Text(raw="x"), concepts=[r.Concept(id="cat", value=i)]))
        for i in range(2)
    ]
    client.call("PostInputs", s.PostInputsRequest(user_app_id=there, inputs=given))
    model = r.Model(id="head", app_id="app", user_id=there.user_id, model_version=r.ModelVersion(id=version))
    asked = [r.EvalMetrics(id="one", model=model)]
    client.call("PostEvaluations", s.PostEvaluationsRequest(user_app_id=there, eval_metrics=asked))
    lane = Jobs(client.server)
    job, carrier = evaluates(lane)
    carrier._forecaster = sees = Sees()
    carrier.carry(job)
    assert sorted(sees.seen) == ["other-0", "other-1"]
    done = client.call("GetEvaluation", s.GetEvaluationRequest(user_app_id=there, evaluation_id="one")).eval_metrics
    assert "failed on all 2 inputs" in done.status.details


def test_listings_read_no_inputs_that_were_named(client: Client) -> None:
    version, ids = three_concepts(client)
    asked = r.EvalMetrics()
    asked.eval_info.params.update({"inputs": ids})
    for name in ("one", "two", "three", "one"):
        made = evaluation_of(client, version, id=name, eval_info=asked.eval_info)
        assert list(made.eval_info.params["inputs"]) == ids  # type: ignore[arg-type]
    assert list(get(client, "two").eval_info.params["inputs"]) == ids  # type: ignore[arg-type]
    with client.server.store.read() as conn:
        app = apps.get(conn, client.user_id, "app")
        assert app is not None
        rows = evaluations.listing(conn, [app.pk], offset=1, limit=1)
        # Kept once, and with the one that is there alone.
        assert len(jobs.unfinished(conn, app.pk, "evaluate")) == 3
    assert [row.id for row in rows] == ["three"]
    assert ids[0] not in str(rows)
    listed = client.call("ListEvaluations", s.ListEvaluationsRequest(page=2, per_page=2)).eval_metrics
    assert [e.id for e in listed] == ["two"]
    assert not listed[0].eval_info.params.fields


def test_the_page_shows_the_last_one_or_the_one_named(client: Client) -> None:
    first, ids = three_concepts(client)
    second = trained(client, ["cat", "dog", "cow"], ids, np.eye(3)[[0, 0, 0, 1, 1, 2]], exclusive=True)

    def page(**given: str) -> dict[str, Any]:
        call = call_of(client.server, "GetEvaluation", {"authorization": f"Key {client.token}"})
        return evaluation_page.evaluation(call, client.user_app_id, {"model": "head", **given})

    before = page()
    assert (before["version"], before["evaluations"], before["evaluation"]) == (second, [], None)
    for name, version in (("old", second), ("one", first), ("two", first)):
        evaluation_of(client, version, id=name)
    carry(client)
    shown = page()
    assert (shown["version"], shown["evaluation"]["id"]) == (first, "two")
    assert [e["id"] for e in shown["evaluations"]] == ["two", "one"]
    assert page(version=first, evaluation="one")["evaluation"]["result"]
    assert page(version=second)["evaluation"]["id"] == "old"
    with pytest.raises(DoesNotExist):
        page(version=second, evaluation="one")


def test_what_a_client_keeps_with_it_is_bounded_whatever_it_is_called(client: Client) -> None:
    version, _ = three_concepts(client)
    model = r.Model(id="head", model_version=r.ModelVersion(id=version))
    given = r.EvalMetrics(model=model)
    given.extended_metrics.user_metrics.update({"inputs": "x" * 70_000})
    reply = client.call("PostEvaluations", s.PostEvaluationsRequest(eval_metrics=[given]), expect=11102)
    assert "65536 at most" in reply.status.details


def test_the_page_of_evaluations_needs_what_shows_versions_and_evaluations() -> None:
    assert set(SHOWS["evaluation"]) == {"ListModelVersions", "ListEvaluations"}
    assert [rpc for _, path, _, rpc in TABLE if path == "evaluation"] == ["GetEvaluation"]


def test_evaluations_go_with_their_version(client: Client) -> None:
    version, _ = three_concepts(client)
    evaluation_of(client, version, id="one")
    client.call("DeleteModelVersion", s.DeleteModelVersionRequest(model_id="head", version_id=version))
    carry(client)
    client.call("GetEvaluation", s.GetEvaluationRequest(evaluation_id="one"), expect=11101)


def test_from_labels_over_training_to_figures(client: Client) -> None:
    """As a client does it, with nothing put in place by hand: two concepts, six pictures."""
    universal = r.Workflow(id="Universal", app_id="main", user_id="clarifai")
    client.user_app_id.app_id = "learning"
    client.call("PostApps", s.PostAppsRequest(apps=[r.App(id="learning", default_workflow=universal)]))
    rng = np.random.default_rng(0)
    given, said = [], []
    for i in range(12):
        pixels = rng.integers(0, 60, (96, 96, 3), dtype=np.uint8)
        concept = ("stripe", "dot")[i % 2]
        if concept == "stripe":
            pixels[::8] = 250
        else:
            cv2.circle(pixels, (48, 48), 30, (250, 250, 250), -1)
        _, png = cv2.imencode(".png", pixels)
        given.append(r.Input(id=f"image-{i}", data=r.Data(image=r.Image(base64=png.tobytes()))))
        said.append((f"image-{i}", concept, 1.0))
    client.call("PostInputs", s.PostInputsRequest(inputs=given))
    label(client, said)
    client.call("PostModels", s.PostModelsRequest(models=[r.Model(id="head")]))
    info = r.OutputInfo(data=r.Data(concepts=[r.Concept(id="stripe"), r.Concept(id="dot")]))
    info.output_config.concepts_mutually_exclusive = True
    asked = s.PostModelVersionsRequest(model_id="head", model_versions=[r.ModelVersion(output_info=info)])
    version = client.call("PostModelVersions", asked).model.model_version.id
    at: Any = {"model_id": "head", "version_id": version}
    carry(client)
    client.call("PostModelVersionMetrics", s.PostModelVersionMetricsRequest(**at))
    carry(client)
    done = client.call("GetModelVersionMetrics", s.GetModelVersionMetricsRequest(fields=EVERYTHING, **at))
    found = done.model_version.metrics
    assert found.status.code == EVALUATED, found.status
    assert len(found.test_set) == 12
    assert found.summary.top1_accuracy == 1
    assert [c.count for c in found.label_counts.positive_label_counts] == [6, 6]
