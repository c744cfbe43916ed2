"""How an app stands, its scores, and its inputs by filters: as the pages ask for them, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Annotation,
    Concept,
    Data,
    Image,
    Input,
    Model,
    OutputInfo,
    Text,
    UserAppIDSet,
    Workflow,
    WorkflowNode,
)
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import update

from labelwright.errors import DoesNotExist, InvalidRequest, LabelwrightError
from labelwright.ids import new_id
from labelwright.protocol import app_counts, inputs_page, overview
from labelwright.protocol.dispatch import Call, call_of
from labelwright.store import concepts, node_flows, users
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept, add

SUCCESS, PENDING, FLAGGED = 24150, 24151, 24157


def call(client: Any, rpc: str = "GetApp", token: str = "") -> Call:
    headers = {"authorization": f"Key {token or client.token}", "host": "pages.test"}
    return call_of(client.server, rpc, headers)


def add_inputs(client: Any, *ids: str, **texts: str) -> None:
    given = [Input(id=i, data=Data(text=Text(raw=texts.get(i, i)))) for i in (*ids, *texts)]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))


def annotate(client: Any, input_id: str, status: int = SUCCESS, **values: float) -> None:
    data = Data(concepts=[Concept(id=i, value=v) for i, v in values.items()])
    annotation = Annotation(input_id=input_id, data=data, status=status_pb2.Status(code=status))
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[annotation]))


def predict(client: Any, input_id: str, status: int = SUCCESS, origin: int = t.MODEL, **scores: float) -> None:
    """What a workflow would write."""
    with client.server.store.write() as conn:
        app = app_pk(client, conn)
        keys = concepts.ensure(conn, app, {i: i for i in scores})
        row = conn.execute(t.inputs.select().where(t.inputs.c.id == input_id)).one()
        said = [NewConcept(keys[i], s, s) for i, s in scores.items()]
        add(conn, app, [NewAnnotation(row.pk, client.user_id, status, origin, b"", said)])


def app_pk(client: Any, conn: Any) -> int:
    pk: int = conn.execute(t.apps.select().where(t.apps.c.user_id == client.user_id)).one().pk
    return pk


def set_status(client: Any, input_id: str, code: int) -> None:
    with client.server.store.write() as conn:
        conn.execute(update(t.inputs).where(t.inputs.c.id == input_id).values(status_code=code))


def look(client: Any, **given: Any) -> dict[str, Any]:
    return overview.overview(call(client), client.user_app_id, given)


def page(client: Any, **given: Any) -> dict[str, Any]:
    return overview.inputs_page(call(client, "ListInputs"), client.user_app_id, given)


def ids(reply: Mapping[str, Any]) -> list[str]:
    return [i["id"] for i in reply["inputs"]]


def all_ids(client: Any, **given: Any) -> list[str]:
    """Every page after the other."""
    found: list[str] = []
    cursor = ""
    for _ in range(100):
        reply = page(client, cursor=cursor, **given)
        found += ids(reply)
        assert reply["scanned_all"] == (reply["cursor"] is None)
        if reply["cursor"] is None:
            return found
        cursor = reply["cursor"]
    raise AssertionError("it never ends")


def post_thresholds(client: Any, model_id: str = "over", kind: Any = "GREATER_THAN", **values: float) -> None:
    info = OutputInfo(data=Data(concepts=[Concept(id=i, value=v) for i, v in values.items()]))
    info.params.update({"concept_threshold_type": kind})
    model = Model(id=model_id, model_type_id="concept-threshold", output_info=info)
    client.call("PostModels", service_pb2.PostModelsRequest(models=[model]))


def post_workflow(client: Any, *nodes: WorkflowNode) -> str:
    """Make these nodes, behind one that sees, the app's default workflow; returns the id of its version."""
    see = WorkflowNode(id="see", model=Model(id="general-image-recognition", app_id="main", user_id="clarifai"))
    made = client.call(
        "PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[Workflow(id="flow", nodes=[see, *nodes])])
    )
    app = resources_pb2.App(id="app", default_workflow_id="flow")
    client.call("PatchApps", service_pb2.PatchAppsRequest(apps=[app], action="overwrite"))
    version: str = made.workflows[0].version.id
    return version


def node(node_id: str, model_id: str, *inputs: str) -> WorkflowNode:
    made = WorkflowNode(id=node_id, model=Model(id=model_id))
    for name in inputs:
        made.node_inputs.add(node_id=name)
    return made


# --- the overview ---------------------------------------------------------------------------------


def test_an_empty_app(client: Any) -> None:
    made = look(client)
    assert made["app"]["id"] == "app"
    assert made["inputs"] == {"total": 0, "pending": 0, "in_progress": 0, "done": 0, "failed": 0}
    assert set(made["annotations"].values()) == {0}
    assert (made["coverage"], made["labelled"], made["concepts"], made["sampled"]) == (0, 0, [], False)
    assert made["workflow"]["id"] == "Empty"
    assert made["workflow"]["nodes"] == []


def test_inputs_annotations_and_concepts_are_counted(client: Any) -> None:
    add_inputs(client, "a", "b", "c", "d", "e")
    for input_id, code in {"a": t.DONE, "b": t.IN_PROGRESS, "c": t.FAILED, "d": 30106}.items():
        set_status(client, input_id, code)
    predict(client, "a", cat=0.9, dog=0.4)
    predict(client, "b", PENDING, cat=0.5)
    predict(client, "b", FLAGGED, cat=0.6)
    predict(client, "c", origin=t.CONFIRMED, dog=0)
    annotate(client, "d", bird=1)
    made = look(client)
    assert made["inputs"] == {"total": 5, "pending": 1, "in_progress": 1, "done": 1, "failed": 2}
    assert made["annotations"] == {
        "success": 3,
        "pending": 1,
        "flagged": 1,
        "by_model": 3,
        "by_people": 1,
        "confirmed": 1,
    }
    assert (made["coverage"], made["labelled"]) == (0.2, 0.6)
    assert made["concepts_total"] == 3
    assert {c["id"]: (c["success"], c["negative"], c["pending"]) for c in made["concepts"]} == {
        "cat": (1, 0, 2),
        "dog": (1, 1, 0),
        "bird": (1, 0, 0),
    }
    assert made["concepts"][0]["id"] == "cat"


def test_metadata_alone_is_no_label(client: Any) -> None:
    data = Data(text=Text(raw="x"))
    data.metadata.update({"place": "here"})
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[Input(id="a", data=data)]))
    assert look(client)["labelled"] == 0
    assert ids(page(client, annotation="none")) == ["a"]


def test_metadata_alone_is_nobodys_annotation(client: Any) -> None:
    told = Struct()
    told.update({"place": "here"})
    both = Data(text=Text(raw="x"), metadata=told, concepts=[Concept(id="cat", value=1)])
    inputs = [Input(id=i, data=Data(text=Text(raw="x"), metadata=told)) for i in ("a", "b")]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[*inputs, Input(id="c", data=both)]))
    predict(client, "a", cat=0.9)
    made = look(client)
    assert made["annotations"] == {
        "success": 2,
        "pending": 0,
        "flagged": 0,
        "by_model": 1,
        "by_people": 1,
        "confirmed": 0,
    }
    assert made["labelled"] == round(2 / 3, 6)


def test_a_persons_box_without_a_concept_is_an_annotation(client: Any) -> None:
    add_inputs(client, "a")
    box = resources_pb2.BoundingBox(top_row=0.1, left_col=0.1, bottom_row=0.5, right_col=0.5)
    region = resources_pb2.Region(region_info=resources_pb2.RegionInfo(bounding_box=box))
    annotation = Annotation(input_id="a", data=Data(regions=[region]))
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[annotation]))
    assert look(client)["annotations"]["by_people"] == 1


def test_concepts_that_nobody_used_are_listed_behind_the_others(client: Any) -> None:
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[Concept(id=i) for i in ("new", "used")]))
    add_inputs(client, "a")
    annotate(client, "a", used=1)
    assert [c["id"] for c in look(client)["concepts"]] == ["used", "new"]


def test_the_workflow_with_what_flowed_through_it(client: Any) -> None:
    post_thresholds(client, "over", cat=0.9, dog=0.25)
    post_thresholds(client, "under", 3, cat=0.9)
    version = post_workflow(client, node("yes", "over", "see"), node("no", "under", "yes"))
    with client.server.store.write() as conn:
        node_flows.add(conn, app_pk(client, conn), version, {"yes": node_flows.Flow(10, 7, 30, 9)})
        node_flows.add(conn, app_pk(client, conn), "another", {"yes": node_flows.Flow(1, 1, 1, 1, 1)})
    made = look(client)["workflow"]
    assert (made["id"], made["version_id"]) == ("flow", version)
    see, yes, no = made["nodes"]
    assert (see["model_type_id"], see["thresholds"], see["reached"]) == ("visual-classifier", None, 0)
    assert (yes["id"], yes["model_id"], yes["model_type_id"], yes["inputs"]) == (
        "yes",
        "over",
        "concept-threshold",
        ["see"],
    )
    assert (yes["reached"], yes["passed"], yes["concepts_in"], yes["concepts_out"], yes["wrote"]) == (10, 7, 30, 9, 0)
    assert yes["thresholds"] == {
        "concepts": [{"id": "cat", "name": "cat", "value": 0.9}, {"id": "dog", "name": "dog", "value": 0.25}],
        "compare": "GREATER_THAN",
    }
    assert (no["inputs"], no["reached"], no["thresholds"]["compare"]) == (["yes"], 0, "LESS_THAN")


def test_a_node_whose_model_version_was_deleted_is_still_drawn(client: Any) -> None:
    post_thresholds(client, "over", cat=0.9)
    post_workflow(client, node("yes", "over", "see"))
    client.call("DeleteModel", service_pb2.DeleteModelRequest(model_id="over"))
    _, yes = look(client)["workflow"]["nodes"]
    assert (yes["model_id"], yes["model_type_id"], yes["thresholds"]) == ("over", "concept-threshold", None)


def test_an_app_without_a_default_workflow(client: Any) -> None:
    with client.server.store.write() as conn:
        conn.execute(update(t.apps).values(default_workflow=None))
    assert look(client)["workflow"] is None


def test_a_large_app_is_estimated_first_and_counted_meanwhile(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_counts, "SMALL", 3)
    monkeypatch.setattr(app_counts, "WINDOWS", 1)
    monkeypatch.setattr(app_counts, "EACH", 2)
    names = [f"i{k}" for k in range(8)]
    add_inputs(client, *names)
    for name in names:
        predict(client, name, cat=0.5)
    predict(client, "i7", PENDING, dog=0.5)
    first = look(client)
    assert first["sampled"]
    assert first["annotations"]["success"] == 8
    assert first["annotations"]["pending"] == 0
    assert first["coverage"] == 1
    counter = app_counts.counter(client.server.store)
    counter.join()
    second = look(client)
    assert not second["sampled"]
    assert second["annotations"]["pending"] == 1
    predict(client, "i6", PENDING, dog=0.5)
    assert look(client)["annotations"]["pending"] == 1, "what was counted is remembered for a while"
    monkeypatch.setattr(app_counts, "OLDEST", 0)
    monkeypatch.setattr(app_counts, "SHARE", 0)
    counter._known.clear()
    look(client)
    counter.join()
    assert look(client)["annotations"]["pending"] == 2
    counter.join()


# --- the scores -----------------------------------------------------------------------------------


def scores(client: Any, **given: Any) -> dict[str, Any]:
    return overview.histogram(call(client, "ListAnnotations"), client.user_app_id, given)


def filled(made: Mapping[str, Any]) -> dict[int, tuple[int, int, int]]:
    counted = [(b["success"], b["pending"], b["negative"]) for b in made["bins"]]
    return {k: c for k, c in enumerate(counted) if any(c)}


def test_a_histogram_with_the_thresholds(client: Any) -> None:
    post_thresholds(client, "over", cat=0.9, dog=0.5)
    post_thresholds(client, "under", "LESS_THAN", cat=0.9)
    post_workflow(client, node("yes", "over", "see"), node("no", "under", "see"))
    add_inputs(client, "a", "b")
    predict(client, "a", cat=0.95, dog=0.1)
    predict(client, "a", cat=1.0)
    predict(client, "a", PENDING, cat=0.55)
    predict(client, "b", FLAGGED, cat=0.5)
    predict(client, "b", cat=0.0)
    made = scores(client, concept="cat", bins="10")
    assert filled(made) == {0: (0, 0, 1), 5: (0, 2, 0), 9: (2, 0, 0)}
    assert (made["bins"][5]["from"], made["bins"][5]["to"]) == (0.5, 0.6)
    assert (made["concept"], made["n"], made["sampled"]) == ("cat", 5, False)
    assert made["thresholds"] == [
        {"node_id": "yes", "compare": "GREATER_THAN", "value": 0.9},
        {"node_id": "no", "compare": "LESS_THAN", "value": 0.9},
    ]
    assert len(scores(client, concept="cat")["bins"]) == overview.BINS


@pytest.mark.parametrize("bins", [1, 7, 10, 40, 100, 200])
def test_a_score_that_equals_an_edge_is_on_the_side_on_which_a_threshold_has_it(client: Any, bins: int) -> None:
    """The wire's scores are float32: of 0.9 that is 0.89999998."""
    one = np.float32(1)
    edges = [np.float32(k / bins) for k in range(bins)]
    before = [np.nextafter(edge, np.float32(0)) for edge in edges[1:]]
    add_inputs(client, "a")
    with client.server.store.write() as conn:
        key = concepts.ensure(conn, app_pk(client, conn), {"cat": ""})["cat"]
        row = conn.execute(t.inputs.select()).one()
        passing = [NewConcept(key, 1.0, float(edge)) for edge in [*edges, one]]
        failing = [NewConcept(key, 0.0, float(edge)) for edge in [*before, np.nextafter(one, np.float32(0))]]
        add(conn, row.app, [NewAnnotation(row.pk, client.user_id, SUCCESS, t.MODEL, b"", [*passing, *failing])])
    made = scores(client, concept="cat", bins=bins)
    # Each bin has the score that equals its lower edge, and that just below its upper one; the last has 1 too.
    assert [(b["success"], b["negative"]) for b in made["bins"]] == [(1, 1)] * (bins - 1) + [(2, 1)]


def test_a_verdict_stays_where_the_model_scored_it_and_a_plain_yes_is_no_score(client: Any) -> None:
    add_inputs(client, "a")
    annotate(client, "a", cat=1)
    annotate(client, "a", cat=0)
    annotate(client, "a", cat=0.25)
    with client.server.store.write() as conn:
        key = concepts.ensure(conn, app_pk(client, conn), {"cat": ""})["cat"]
        row = conn.execute(t.inputs.select()).one()
        rejected = NewConcept(key, 0.0, 0.75)
        add(conn, row.app, [NewAnnotation(row.pk, client.user_id, SUCCESS, t.CONFIRMED, b"", [rejected])])
    made = scores(client, concept="cat", bins=4)
    assert filled(made) == {1: (1, 0, 0), 3: (0, 0, 1)}
    assert made["n"] == 2


def test_a_histogram_of_the_newest_labels(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "NEWEST", 3)
    add_inputs(client, "a")
    for score in (0.1, 0.2, 0.9, 0.9, 0.9):
        predict(client, "a", cat=score)
    made = scores(client, concept="cat", bins=2)
    assert (filled(made), made["n"], made["sampled"]) == ({1: (3, 0, 0)}, 3, True)


def test_the_newest_labels_of_a_concept_are_found_without_sorting(client: Any) -> None:
    store = client.server.store
    if store.engine.dialect.name != "sqlite":
        pytest.skip("SQLite's own way to say how it goes about a query")
    statement = (
        "EXPLAIN QUERY PLAN SELECT annotation FROM annotation_concepts WHERE concept = 1 "
        "ORDER BY annotation DESC LIMIT 20000"
    )
    with store.read() as conn:
        plan = " ".join(row[3] for row in conn.exec_driver_sql(statement))
    assert "ix_annotation_concepts_concept" in plan
    assert "TEMP B-TREE" not in plan


# --- the inputs -----------------------------------------------------------------------------------


def test_pages_of_inputs_newest_first(client: Any) -> None:
    names = [f"i{k}" for k in range(7)]
    add_inputs(client, *names)
    first = page(client, n="3")
    assert ids(first) == ["i6", "i5", "i4"]
    assert not first["scanned_all"]
    add_inputs(client, "later")
    second = page(client, n="3", cursor=first["cursor"])
    assert ids(second) == ["i3", "i2", "i1"], "what comes in meanwhile moves no page"
    third = page(client, n="3", cursor=second["cursor"])
    assert (ids(third), third["cursor"], third["scanned_all"]) == (["i0"], None, True)
    assert len(all_ids(client, n=4)) == 8
    whole = page(client, n=8)
    assert (len(ids(whole)), whole["scanned_all"]) == (8, True)


def test_an_input_as_the_api_shows_it_with_its_labels(client: Any) -> None:
    image = Input(id="photo", data=Data(image=Image(base64=PNG), concepts=[Concept(id="cat", name="Cat", value=1)]))
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[image]))
    predict(client, "photo", PENDING, dog=0.75)
    predict(client, "photo", FLAGGED, origin=t.CONFIRMED, bird=0.1)
    (shown,) = page(client)["inputs"]
    assert shown["data"]["image"]["hosted"]["sizes"][0] == "orig"
    assert shown["data"]["concepts"][0]["name"] == "Cat"
    assert shown["status"]["code"] == t.PENDING
    assert [(one["concept"], one["value"], one["score"], one["status"], one["origin"]) for one in shown["labels"]] == [
        ("cat", 1, None, "success", "person"),
        ("dog", 0.75, 0.75, "pending", "model"),
        ("bird", 0.1, 0.1, "flagged", "confirmed"),
    ]
    assert shown["labels"][0]["name"] == "Cat"


def test_an_input_with_very_many_labels_shows_the_first(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_page, "MOST_LABELS", 2)
    add_inputs(client, "a")
    annotate(client, "a", c1=1, c2=1, c3=1)
    (shown,) = page(client)["inputs"]
    assert [one["concept"] for one in shown["labels"]] == ["c1", "c2"]


@pytest.mark.parametrize("rare", [0, 1000])
def test_filters(client: Any, monkeypatch: pytest.MonkeyPatch, rare: int) -> None:
    """The same, whether inputs are looked up or looked for."""
    monkeypatch.setattr(inputs_page, "RARE", rare)
    monkeypatch.setattr(inputs_page, "AT_ONCE", 2)
    add_inputs(client, "yes", "no", "waits", "flagged", "bare", "both")
    set_status(client, "yes", t.DONE)
    set_status(client, "no", t.DONE)
    set_status(client, "bare", 30106)
    set_status(client, "both", t.FAILED)
    annotate(client, "yes", cat=1)
    annotate(client, "no", cat=0)
    annotate(client, "waits", PENDING, cat=0.5)
    annotate(client, "flagged", FLAGGED, dog=0.5)
    annotate(client, "both", dog=1)
    annotate(client, "both", PENDING, cat=0.5)
    assert all_ids(client, concept="cat") == ["both", "waits", "no", "yes"]
    assert all_ids(client, concept=["cat", "dog"], n=1) == ["both", "flagged", "waits", "no", "yes"]
    assert all_ids(client, annotation="pending") == ["both", "flagged", "waits"]
    assert all_ids(client, annotation="success") == ["both", "no", "yes"]
    assert all_ids(client, annotation="none") == ["bare"]
    assert all_ids(client, annotation="none", concept="cat") == ["bare", "flagged"]
    assert all_ids(client, annotation="success", concept="dog") == ["both"]
    assert all_ids(client, annotation="pending", concept="cat", n=1) == ["both", "waits"]
    assert all_ids(client, status="done") == ["no", "yes"]
    assert all_ids(client, status="pending") == ["flagged", "waits"]
    assert all_ids(client, status="in_progress") == []
    assert all_ids(client, status="failed") == ["both", "bare"]
    assert all_ids(client, status="done", concept="cat", annotation="pending") == []
    assert all_ids(client, status="failed", annotation="pending") == ["both"]
    assert all_ids(client, concept="cat", text="WAI") == ["waits"]


def test_texts_are_found_in_ids_media_and_metadata(client: Any) -> None:
    with_metadata = Data(text=Text(raw="nothing"))
    said = Struct()
    said.update({"Place": "Zürich West", "deep": [{"n": 42, "on": True, "off": None}]})
    with_metadata.metadata.CopyFrom(said)
    given = [
        Input(id="Plain-ID", data=Data(text=Text(raw="a text of GRÜN leaves"))),
        Input(id="linked", data=Data(image=Image(url="https://photos.test/Holiday/7.jpg"))),
        Input(id="told", data=with_metadata),
    ]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))
    for text, found in {
        "plain-id": ["Plain-ID"],
        "grün": ["Plain-ID"],
        "GRÜN LEAVES": ["Plain-ID"],
        "holiday/": ["linked"],
        "zürich w": ["told"],
        "42": ["told"],
        "true": ["told"],
        "place": [],
        "absent": [],
        "%": [],
        "_": [],
    }.items():
        assert all_ids(client, text=text) == found, text


def test_a_call_looks_at_so_many_inputs_and_says_where_to_go_on(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs_page, "AT_ONCE", 2)
    monkeypatch.setattr(inputs_page, "SCANNED", 4)
    monkeypatch.setattr(inputs_page, "SECONDS", 1000)
    add_inputs(client, needle="needle", **{f"i{k}": "hay" for k in range(9)})
    first = page(client, text="needle")
    assert (ids(first), first["scanned_all"]) == ([], False)
    assert all_ids(client, text="needle") == ["needle"]
    monkeypatch.setattr(inputs_page, "SECONDS", 0)
    assert all_ids(client, text="needle") == ["needle"]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "given"),
    [
        ("overview", {"n": "1"}),
        ("histogram", {}),
        ("histogram", {"concept": ""}),
        ("histogram", {"concept": ["a", "b"]}),
        ("histogram", {"concept": 7}),
        ("histogram", {"concept": "cat", "bins": "0"}),
        ("histogram", {"concept": "cat", "bins": "many"}),
        ("histogram", {"concept": "cat", "bins": True}),
        ("inputs_page", {"n": "0"}),
        ("inputs_page", {"n": "201"}),
        ("inputs_page", {"n": "²"}),
        ("inputs_page", {"status": "lost"}),
        ("inputs_page", {"annotation": "all"}),
        ("inputs_page", {"cursor": "!"}),
        ("inputs_page", {"cursor": "LTE"}),
        ("inputs_page", {"cursor": "é"}),
        ("inputs_page", {"text": "x" * 300}),
        ("inputs_page", {"text": None}),
        ("inputs_page", {"concept": ["x"] * 51}),
        ("inputs_page", {"offset": "1"}),
    ],
)
def test_what_is_not_legal_is_refused_with_what_is(client: Any, of: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"legal|say"):
        getattr(overview, of)(call(client), client.user_app_id, given)


def test_a_concept_that_is_not_there(client: Any) -> None:
    for of in (overview.histogram, overview.inputs_page):
        with pytest.raises(DoesNotExist, match="no concept 'nope'"):
            of(call(client), client.user_app_id, {"concept": "nope"})


def test_another_users_app_is_as_good_as_absent(client: Any) -> None:
    add_inputs(client, "a")
    annotate(client, "a", cat=1)
    token = new_id()
    with client.server.store.write() as conn:
        users.ensure_user(conn, "stranger")
        users.add_key(conn, user_id="stranger", token=token)
    where = UserAppIDSet(user_id=client.user_id, app_id="app")
    for of, given in ((overview.overview, {}), (overview.histogram, {"concept": "cat"}), (overview.inputs_page, {})):
        with pytest.raises(DoesNotExist, match="there is no app"):
            of(call(client, token=token), where, given)


def test_labels_of_another_app_are_not_counted(client: Any) -> None:
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="other")]))
    there = UserAppIDSet(user_id=client.user_id, app_id="other")
    given = [Input(id="theirs", data=Data(text=Text(raw="x"), concepts=[Concept(id="cat", value=1)]))]
    client.call("PostInputs", service_pb2.PostInputsRequest(user_app_id=there, inputs=given))
    add_inputs(client, "ours")
    made = look(client)
    assert (made["inputs"]["total"], made["annotations"]["success"], made["concepts"]) == (1, 0, [])
    assert all_ids(client, annotation="success") == []
    with pytest.raises(LabelwrightError):
        page(client, concept="cat")


PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
