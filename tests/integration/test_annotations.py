"""Annotations over the wire, on both databases."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Annotation,
    BoundingBox,
    Concept,
    Data,
    Frame,
    Input,
    Mask,
    Point,
    Polygon,
    Region,
    RegionInfo,
    Text,
    User,
    UserAppIDSet,
    Worker,
)
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import IntegrityError

from labelwright.annotator.labels import take_apart
from labelwright.annotator.precedence import said
from labelwright.ids import new_id
from labelwright.protocol.dispatch import Server
from labelwright.store import annotations as stored
from labelwright.store import concepts, inputs, users
from labelwright.store import tables as t
from labelwright.store.engine import Store

Client = Any
"""The class of the fixture `client`."""

SUCCESS, PENDING, INVALID, DENIED = 24150, 24151, 24155, 24158
DOES_NOT_EXIST, INVALID_REQUEST, NO_INPUT = 11101, 11102, 30102


def whole(*pairs: tuple[str, float]) -> Data:
    return Data(concepts=[Concept(id=i, value=v) for i, v in pairs])


def info_box(top: float, left: float, bottom: float, right: float) -> RegionInfo:
    return RegionInfo(bounding_box=BoundingBox(top_row=top, left_col=left, bottom_row=bottom, right_col=right))


def boxed(*pairs: tuple[str, float], box: Any = (0.25, 0.25, 0.5, 0.75), id: str = "") -> Data:
    return Data(regions=[Region(id=id, region_info=info_box(*box), data=whole(*pairs))])


def note(data: Data, input_id: str = "a", **fields: Any) -> Annotation:
    return Annotation(input_id=input_id, data=data, **fields)


def status(code: int) -> status_pb2.Status:
    return status_pb2.Status(code=code)


def struct(value: dict[str, Any]) -> Struct:
    made = Struct()
    made.update(value)
    return made


def add_inputs(client: Client, *ids: str) -> None:
    given = [Input(id=i, data=Data(text=Text(raw=i))) for i in ids]
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=given))


@pytest.fixture
def app(client: Client) -> Client:
    """The client, with the inputs a and b in its app."""
    add_inputs(client, "a", "b")
    return client


def post(client: Client, *given: Annotation, expect: int | None = 10000, app: Any = None) -> Any:
    request = service_pb2.PostAnnotationsRequest(annotations=given, user_app_id=app)
    return client.call("PostAnnotations", request, expect)


def listed(client: Client, *, app: Any = None, **fields: Any) -> list[Annotation]:
    request = service_pb2.ListAnnotationsRequest(user_app_id=app, **fields)
    return list(client.call("ListAnnotations", request).annotations)


def ids_of(client: Client, **fields: Any) -> list[str]:
    return [a.id for a in listed(client, **fields)]


def get(client: Client, id_: str, input_id: str = "a", expect: int = 10000) -> Annotation:
    request = service_pb2.GetAnnotationRequest(annotation_id=id_, input_id=input_id)
    found: Annotation = client.call("GetAnnotation", request, expect).annotation
    return found


def patch(client: Client, action: str, *given: Annotation, expect: int = 10000, **fields: Any) -> Any:
    request = service_pb2.PatchAnnotationsRequest(action=action, annotations=given, **fields)
    return client.call("PatchAnnotations", request, expect)


def delete(client: Client, ids: Any = (), input_ids: Any = (), expect: int = 10000, app: Any = None) -> None:
    request = service_pb2.DeleteAnnotationsRequest(ids=ids, input_ids=input_ids, user_app_id=app)
    client.call("DeleteAnnotations", request, expect)


def labels(data: Data) -> list[tuple[str, float]]:
    return [(c.id, c.value) for c in data.concepts]


def by_model(client: Client, *datas: Data, input_id: str = "a", **fields: Any) -> list[str]:
    """Write annotations as a workflow does; returns their ids."""
    with client.server.store.write() as conn:
        app = conn.execute(select(t.apps.c.pk).where(t.apps.c.user_id == client.user_id)).scalars().first()
        pk = inputs.keys(conn, app, [input_id])[input_id]
        rows = []
        for data in datas:
            wire, found = take_apart(data)
            keys = concepts.ensure(conn, app, {f.concept_id: "" for f in found})
            said = [stored.NewConcept(keys[f.concept_id], f.value, f.value, f.slot) for f in found]
            values = {
                "user_id": client.user_id,
                "status_code": PENDING,
                "origin": t.MODEL,
                "model_version_id": "mv",
                "workflow_version_id": "wv",
            }
            rows.append(stored.NewAnnotation(input=pk, wire=wire, concepts=said, **{**values, **fields}))
        return stored.add(conn, app, rows)


def row(client: Client, id_: str) -> Any:
    with client.server.store.read() as conn:
        return conn.execute(select(t.annotations).where(t.annotations.c.id == id_)).one()


def scores(client: Client, id_: str) -> dict[str, float | None]:
    with client.server.store.read() as conn:
        pk = conn.execute(select(t.annotations.c.pk).where(t.annotations.c.id == id_)).scalar_one()
        return {c.id: c.score for c in stored.concepts_of(conn, [pk])[pk]}


def rejected(client: Client) -> list[tuple[str, str, Any, str]]:
    """Input id, concept id, box and user of each rejection."""
    query = (
        select(t.inputs.c.id, t.concepts.c.id, t.rejections.c.wire, t.rejections.c.slot, t.rejections.c.user_id)
        .join_from(t.rejections, t.inputs)
        .join(t.concepts, t.concepts.c.pk == t.rejections.c.concept)
        .order_by(t.rejections.c.pk)
    )
    with client.server.store.read() as conn:
        rows = conn.execute(query).all()
    found = []
    for input_id, concept_id, wire, slot, user_id in rows:
        (word,) = said(resources_pb2.Data.FromString(wire), [(slot, concept_id)])
        found.append((input_id, concept_id, None if word.box is None else list(word.box), user_id))
    return found


# --- posting --------------------------------------------------------------------------------------


def test_a_posted_annotation(app: Client) -> None:
    given = note(boxed(("cat", 1.0), ("dog", 0.0)), task_id="t1", annotation_info=struct({"k": [1, {"x": None}]}))
    (made,) = post(app, given).annotations
    assert len(made.id) == 32
    assert (made.input_id, made.user_id, made.worker.user.id) == ("a", app.user_id, app.user_id)
    assert (made.status.code, made.status.description) == (SUCCESS, "Annotation success")
    assert (made.trusted, made.input_level, made.task_id) == (True, False, "t1")
    assert not made.worker.HasField("model")
    assert not made.worker.HasField("workflow")
    region = made.data.regions[0]
    assert len(region.id) == 32
    assert region.region_info == given.data.regions[0].region_info
    assert labels(region.data) == [("cat", 1), ("dog", 0)]
    assert {(c.name, c.app_id, c.user_id) for c in region.data.concepts} == {
        ("cat", "app", app.user_id),
        ("dog", "app", app.user_id),
    }
    assert MessageToDict(made.annotation_info) == {"k": [1.0, {"x": None}]}
    assert get(app, made.id) == made
    assert listed(app) == [made]
    stored_row = row(app, made.id)
    assert (stored_row.origin, stored_row.touched) == (t.PERSON, False)
    assert scores(app, made.id) == {"cat": None, "dog": None}


@pytest.mark.parametrize("code", [24150, 24151, 24157, 24158, 24159])
def test_statuses_that_can_be_given(app: Client, code: int) -> None:
    (made,) = post(app, note(whole(("c", 1)), status=status(code))).annotations
    assert made.status.code == code
    assert get(app, made.id).status.code == code


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (note(Data()), INVALID),
        (note(Data(regions=[Region()])), INVALID),
        (note(whole(("c", 1)), input_id=""), INVALID),
        (note(whole(("c", 1)), input_id="none"), NO_INPUT),
        (note(whole(("c", 1)), status=status(24152)), INVALID),
        (note(whole(("c", 1)), status=status(30000)), INVALID),
        (note(whole(("c", 1)), id="two\nlines"), INVALID),
        (note(whole(("c", 1)), task_id="nul\0"), INVALID),
        (note(whole(("c", 1)), user_id="x\0"), INVALID),
        (note(whole(("c", 1)), user_id="x", worker=Worker(user=User(id="y"))), INVALID),
        (note(whole(("c", 1)), annotation_info=struct({"x": math.nan})), INVALID),
        (note(whole(("", 1))), INVALID),
        (note(whole(("c", 2))), INVALID),
        (note(boxed(("c", math.nan))), INVALID),
        (note(boxed(box=(0.5, 0, 0.4, 1))), INVALID),
        (note(Data(regions=[Region(id="1"), Region(id="2")])), INVALID),
        (note(Data(frames=[Frame(id="1"), Frame(id="2")])), INVALID),
        (note(Data(frames=[Frame(data=Data(regions=[Region(id="1"), Region(id="2")]))])), INVALID),
        (note(Data(regions=[Region(data=Data(regions=[Region(id="1")]))])), INVALID),
    ],
)
def test_what_is_not_an_annotation(app: Client, item: Annotation, code: int) -> None:
    alone = post(app, item, expect=code)
    assert alone.annotations[0].status.code == code
    assert alone.annotations[0].status.details
    beside = post(app, note(whole(("c", 1))), item, expect=10010)
    assert [a.status.code for a in beside.annotations] == [SUCCESS, code]
    assert len(listed(app)) == 1


def test_the_number_of_annotations(app: Client) -> None:
    post(app, expect=INVALID_REQUEST)
    post(app, *(note(whole(("c", 1))) for _ in range(129)), expect=INVALID_REQUEST)
    assert listed(app) == []
    post(app, *(note(boxed(("c", 1))) for _ in range(128)))
    assert len(listed(app)) == 128
    post(app, note(Data()), note(Data()), expect=10020)


def test_duplicate_ids(app: Client) -> None:
    post(app, note(whole(("c", 1)), id="n"))
    again = post(app, note(whole(("c", 1)), id="n"), expect=INVALID)
    assert "duplicate" in again.status.details
    reply = post(app, note(whole(("c", 1)), id="m"), note(whole(("c", 1)), id="m"), expect=10010)
    assert [a.status.code for a in reply.annotations] == [SUCCESS, INVALID]


def test_as_another_user(app: Client) -> None:
    made = post(
        app,
        note(whole(("c", 1)), user_id="friend"),
        note(whole(("c", 1)), worker=Worker(user=User(id="friend"))),
        note(whole(("c", 1)), user_id="me"),
    ).annotations
    assert [a.user_id for a in made] == ["friend", "friend", app.user_id]
    assert ids_of(app, user_ids=["friend"]) == [made[1].id, made[0].id]
    assert ids_of(app, user_ids=["me"]) == [made[2].id]


def test_a_frame(app: Client) -> None:
    frame = Frame(frame_info=resources_pb2.FrameInfo(index=3, time=120), data=boxed(("c", 0.5)))
    (made,) = post(app, note(Data(frames=[frame]))).annotations
    assert made.data.frames[0].frame_info.time == 120
    assert labels(made.data.frames[0].data.regions[0].data) == [("c", 0.5)]
    assert get(app, made.id) == made


def test_hostile_ids_and_names(app: Client) -> None:
    texts = ["'; DROP TABLE annotations; --", '"q"', "🐈", "x" * 256, "%", "{}"]
    post(
        app,
        *(
            note(Data(concepts=[Concept(id=i, name=i, value=1)]), id=i, task_id=i, annotation_info=struct({i: i}))
            for i in texts
        ),
    )
    for id_ in texts:
        found = get(app, id_)
        assert (found.task_id, found.data.concepts[0].id, found.data.concepts[0].name) == (id_, id_, id_)
        assert MessageToDict(found.annotation_info) == {id_: id_}
        assert ids_of(app, task_id=id_) == [id_]
    delete(app, texts, ["a"] * len(texts))
    assert listed(app) == []


# --- listing --------------------------------------------------------------------------------------


def test_newest_first_and_pages(app: Client) -> None:
    made = [a.id for a in post(app, *(note(whole(("c", n / 8)), id=f"n{n}") for n in range(5))).annotations]
    assert ids_of(app) == made[::-1]
    assert ids_of(app, page=2, per_page=2) == ["n2", "n1"]
    assert ids_of(app, page=1000, per_page=500) == []
    app.call("ListAnnotations", service_pb2.ListAnnotationsRequest(per_page=1001), INVALID_REQUEST)


@pytest.fixture
def filled(app: Client) -> Client:
    """Annotations p1, p2 by a person, m1 and m2 (not trusted) by a model, and an input-level one of input c."""
    item = Input(id="c", data=Data(text=Text(raw="c"), concepts=[Concept(id="k", value=1)]))
    app.call("PostInputs", service_pb2.PostInputsRequest(inputs=[item]))
    post(app, note(whole(("k", 1)), id="p1", task_id="t"), note(whole(("k", 1)), "b", id="p2", user_id="friend"))
    by_model(app, whole(("k", 0.9)), id="m1", model_version_id="mv1", workflow_version_id="wv1", user_id="bot")
    by_model(
        app,
        whole(("k", 0.8)),
        input_id="b",
        id="m2",
        model_version_id="mv2",
        workflow_version_id="wv2",
        user_id="bot",
        trusted=False,
    )
    return app


def test_only_trusted_ones_unless_asked_for(filled: Client) -> None:
    level = ids_of(filled, input_ids=["c"])
    assert ids_of(filled) == ["m1", "p2", "p1", *level]
    assert ids_of(filled, list_all_annotations=True) == ["m2", "m1", "p2", "p1", *level]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input_ids": ["a"]}, ["m1", "p1"]),
        ({"input_ids": ["a", "b", "none"]}, ["m1", "p2", "p1"]),
        ({"input_ids": ["none"]}, []),
        ({"user_ids": ["friend"]}, ["p2"]),
        ({"user_ids": ["bot"]}, ["m2", "m1"]),
        ({"model_version_ids": ["mv2"]}, ["m2"]),
        ({"workflow_version_ids": ["wv1", "wv2"]}, ["m2", "m1"]),
        ({"user_ids": ["friend"], "model_version_ids": ["mv2"], "workflow_version_ids": ["wv1"]}, ["m2", "m1", "p2"]),
        ({"user_ids": ["bot"], "input_ids": ["b"]}, ["m2"]),
        ({"statuses": [24151]}, ["m1"]),
        ({"statuses": [24158, 24151], "list_all_annotations": True}, ["m2", "m1"]),
        ({"statuses": [24150], "input_ids": ["a", "b"]}, ["p2", "p1"]),
        ({"task_id": "t"}, ["p1"]),
        ({"task_id": "none"}, []),
        ({"ids": ["p1", "m1"], "input_ids": ["a", "a"]}, ["m1", "p1"]),
        ({"ids": ["p1", "p2"], "input_ids": ["b", "a"]}, []),
        ({"ids": ["p1", "p2"], "input_ids": ["a", "none"]}, ["p1"]),
        ({"ids": ["p1", "none"], "input_ids": ["none", "a"]}, []),
        ({"ids": ["p2", "none"]}, ["p2"]),
    ],
)
def test_filters(filled: Client, fields: dict[str, Any], expected: list[str]) -> None:
    if "statuses" in fields:
        fields = {**fields, "statuses": [status(c) for c in fields["statuses"]]}
    assert ids_of(filled, **fields) == expected


def test_filters_that_are_not_legal(filled: Client) -> None:
    illegal: list[dict[str, Any]] = [{"ids": ["p1", "p2"], "input_ids": ["a"]}, {"input_ids": ["a"] * 1001}]
    for fields in illegal:
        request = service_pb2.ListAnnotationsRequest(**fields)
        filled.call("ListAnnotations", request, INVALID_REQUEST)


def test_what_made_it_is_shown(filled: Client) -> None:
    found = get(filled, "m1")
    assert (found.user_id, found.worker.user.id) == ("bot", "bot")
    assert found.model_version_id == "mv1"
    assert found.status.code == PENDING
    assert get(filled, "m2", "b").trusted is False


def test_getting_one(filled: Client) -> None:
    assert get(filled, "p1", "").id == "p1"
    get(filled, "p1", "b", DOES_NOT_EXIST)
    get(filled, "none", "a", DOES_NOT_EXIST)


def test_the_default_listing_reads_an_index_alone(app: Client, store: Store) -> None:
    if store.engine.dialect.name != "sqlite":
        pytest.skip("the words of the plan are SQLite's")
    sent: list[tuple[str, Any]] = []

    def note_sql(_conn: Any, _cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        sent.append((sql, parameters))

    event.listen(store.engine, "before_cursor_execute", note_sql)

    def plan(**fields: Any) -> str:
        sent.clear()
        listed(app, **fields)
        (sql, parameters) = next(s for s in sent if "annotations.listed" in s[0])
        with store.engine.connect() as conn:
            return " ".join(r[-1] for r in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters))

    for fields in ({}, {"user_ids": ["x"]}, {"statuses": [status(SUCCESS)]}, {"task_id": "t"}):
        assert "COVERING INDEX ix_annotations_list" in plan(**fields)
        assert "TEMP B-TREE" not in plan(**fields)
    assert "INDEX ix_annotations_input" in plan(input_ids=["a"])


# --- patching -------------------------------------------------------------------------------------


def test_merge_moves_the_only_box(app: Client) -> None:
    (made,) = post(app, note(boxed(("c", 1)))).annotations
    moved = Annotation(id=made.id, input_id="a", data=boxed(("d", 1), box=(0.5, 0.5, 0.75, 0.75)))
    (after,) = patch(app, "merge", moved).annotations
    (region,) = after.data.regions
    assert region.region_info.bounding_box.top_row == 0.5
    assert region.id == made.data.regions[0].id
    assert labels(region.data) == [("c", 1), ("d", 1)]
    assert after == get(app, made.id)
    assert after.modified_at.ToMicroseconds() > made.modified_at.ToMicroseconds()


def test_overwrite_and_remove(app: Client) -> None:
    (made,) = post(app, note(boxed(("c", 1), ("d", 1), id="r"))).annotations
    patch(app, "overwrite", Annotation(id=made.id, data=boxed(("e", 1), box=(0, 0, 1, 1), id="s")))
    (region,) = get(app, made.id).data.regions
    assert (region.id, labels(region.data)) == ("s", [("e", 1)])
    patch(app, "remove", Annotation(id=made.id, data=Data(regions=[Region(id="s", data=whole(("e", 0)))])))
    (region,) = get(app, made.id).data.regions
    assert region.region_info.bounding_box.bottom_row == 1
    assert not region.data.concepts


def test_info_status_and_task(app: Client) -> None:
    given = note(whole(("c", 1)), annotation_info=struct({"x": 1, "y": {"z": 2}}), status=status(PENDING))
    id_ = post(app, given).annotations[0].id
    patch(app, "merge", Annotation(id=id_, annotation_info=struct({"y": {"w": 3}}), task_id="t"))
    found = get(app, id_)
    assert MessageToDict(found.annotation_info) == {"x": 1.0, "y": {"z": 2.0, "w": 3.0}}
    assert (found.task_id, found.status.code) == ("t", PENDING)
    patch(app, "remove", Annotation(id=id_, annotation_info=struct({"x": 0})))
    assert MessageToDict(get(app, id_).annotation_info) == {"y": {"z": 2.0, "w": 3.0}}
    patch(app, "overwrite", Annotation(id=id_, annotation_info=struct({"n": 1}), status=status(SUCCESS)))
    found = get(app, id_)
    assert MessageToDict(found.annotation_info) == {"n": 1.0}
    assert (found.status.code, labels(found.data)) == (SUCCESS, [("c", 1)])


def test_delete_if_empty(app: Client) -> None:
    ids = [a.id for a in post(app, *(note(whole(("c", 1))) for _ in range(3))).annotations]
    gone = [Annotation(id=i, data=whole(("c", 0))) for i in ids]
    assert not patch(app, "remove", gone[0]).annotations[0].data.concepts
    reply = patch(app, "remove", gone[1], Annotation(id=ids[2]), delete_if_empty_data=True)
    assert [a.id for a in reply.annotations] == [ids[2]]
    assert ids_of(app) == [ids[2], ids[0]]
    patch(app, "merge", Annotation(id=ids[0]), delete_if_empty_data=True)
    assert ids_of(app) == [ids[2], ids[0]]
    box = post(app, note(boxed(id="r"))).annotations[0].id
    patch(app, "remove", Annotation(id=box, data=Data(regions=[Region(id="r")])), delete_if_empty_data=True)
    get(app, box, expect=DOES_NOT_EXIST)


def test_the_input_level_annotation_is_patched_like_any_other(app: Client) -> None:
    item = Input(id="c", data=Data(text=Text(raw="c"), concepts=[Concept(id="k", value=1)]))
    app.call("PostInputs", service_pb2.PostInputsRequest(inputs=[item]))
    (level,) = ids_of(app, input_ids=["c"])
    patch(app, "merge", Annotation(id=level, input_id="c", data=whole(("l", 1))))
    found = app.call("GetInput", service_pb2.GetInputRequest(input_id="c")).input
    assert labels(found.data) == [("k", 1), ("l", 1)]
    patch(app, "merge", Annotation(id=level, data=boxed(("m", 1))), expect=INVALID)
    gone = Annotation(id=level, data=whole(("k", 1), ("l", 1)))
    (after,) = patch(app, "remove", gone, delete_if_empty_data=True).annotations
    assert after.input_level
    assert listed(app, list_all_annotations=True) == []
    app.call(
        "PatchInputs",
        service_pb2.PatchInputsRequest(action="merge", inputs=[Input(id="c", data=whole(("n", 1)))]),
    )
    assert ids_of(app) == [level]


def test_a_patch_changes_all_or_nothing(app: Client) -> None:
    ids = [a.id for a in post(app, note(boxed(("c", 1), id="r")), note(whole(("c", 1)), "b")).annotations]
    good = Annotation(id=ids[0], data=whole(("new", 1)))
    for bad, code in [
        (Annotation(id="none"), DOES_NOT_EXIST),
        (Annotation(), DOES_NOT_EXIST),
        (Annotation(id=ids[1], input_id="a"), DOES_NOT_EXIST),
        (Annotation(id=ids[1], status=status(24152)), INVALID),
        (Annotation(id=ids[1], task_id="x\n"), INVALID),
        (Annotation(id=ids[1], data=whole(("c", -1))), INVALID),
        (Annotation(id=ids[1], annotation_info=struct({"x": math.inf})), INVALID),
        (Annotation(id=ids[0], data=boxed(id="other")), INVALID),
    ]:
        patch(app, "merge", good, bad, expect=code)
    patch(app, "delete", good, expect=INVALID_REQUEST)
    patch(app, "merge", expect=INVALID_REQUEST)
    assert not get(app, ids[0]).data.concepts
    assert [c.id for c in app.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts] == ["c"]


def test_one_annotation_patched_twice_in_a_call(app: Client) -> None:
    (made,) = post(app, note(whole(("a", 1)))).annotations
    reply = patch(app, "merge", *(Annotation(id=made.id, data=whole((c, 1))) for c in "bc"))
    assert [labels(a.data) for a in reply.annotations] == [[("a", 1), ("b", 1), ("c", 1)]] * 2


def test_a_persons_patch_of_a_models_annotation(app: Client) -> None:
    (id_,) = by_model(app, boxed(("cat", 0.75), ("dog", 0.5)))
    patch(app, "merge", Annotation(id=id_, data=boxed(("cat", 1), ("cow", 1))))
    after = row(app, id_)
    assert (after.origin, after.touched) == (t.CONFIRMED, True)
    assert (after.model_version_id, after.workflow_version_id) == ("mv", "wv")
    assert scores(app, id_) == {"cat": 0.75, "dog": 0.5, "cow": None}
    assert rejected(app) == []
    # A value of 0 is a label of its own.
    patch(app, "merge", Annotation(id=id_, data=boxed(("dog", 0))))
    assert rejected(app) == []
    assert scores(app, id_)["dog"] == 0.5


def test_a_persons_own_annotation_stays_a_persons(app: Client) -> None:
    (made,) = post(app, note(whole(("c", 1)))).annotations
    patch(app, "remove", Annotation(id=made.id, data=whole(("c", 1))))
    assert (row(app, made.id).origin, row(app, made.id).touched) == (t.PERSON, True)
    delete(app, [made.id], ["a"])
    assert rejected(app) == []


# --- what a person says no to ---------------------------------------------------------------------


def test_removing_a_models_concept_rejects_it(app: Client) -> None:
    (boxes, plain) = by_model(app, boxed(("cat", 0.5), ("dog", 0.5), id="r"), whole(("cat", 0.5)))
    patch(app, "remove", Annotation(id=boxes, data=Data(regions=[Region(id="r", data=whole(("dog", 0)))])))
    patch(app, "overwrite", Annotation(id=plain, data=whole(("cow", 1))))
    assert rejected(app) == [("a", "dog", [0.25, 0.25, 0.5, 0.75], app.user_id), ("a", "cat", None, app.user_id)]
    # The cow is the person's own: taking it back rejects nothing.
    patch(app, "remove", Annotation(id=plain, data=whole(("cow", 1))), delete_if_empty_data=True)
    assert len(rejected(app)) == 2


def test_denying_a_models_annotation_rejects_it(app: Client) -> None:
    (id_,) = by_model(app, boxed(("cat", 0.5), ("dog", 0.25)))
    patch(app, "merge", Annotation(id=id_, status=status(DENIED)))
    box = [0.25, 0.25, 0.5, 0.75]
    assert rejected(app) == [("a", "cat", box, app.user_id), ("a", "dog", box, app.user_id)]
    patch(app, "merge", Annotation(id=id_, status=status(DENIED)))
    assert len(rejected(app)) == 2


def test_deleting_a_models_annotation_rejects_it(app: Client) -> None:
    corners = [Point(row=0.25, col=0.5), Point(row=0.75, col=0.25), Point(row=0.5, col=1)]
    polygon = Data(regions=[Region(region_info=RegionInfo(polygon=Polygon(points=corners)), data=whole(("p", 0.5)))])
    mask = Data(regions=[Region(region_info=RegionInfo(mask=Mask()), data=whole(("q", 0.5)))])
    frame = Data(frames=[Frame(data=boxed(("f", 0.5)))])
    ids = by_model(app, polygon, mask, frame, whole(("w", 0.5)))
    patch(app, "merge", Annotation(id=ids[3], data=whole(("w", 1))))
    delete(app, ids[:1], ["a"])
    request = service_pb2.DeleteAnnotationRequest(annotation_id=ids[1], input_id="a")
    app.call("DeleteAnnotation", request)
    delete(app, [], ["a"])
    assert rejected(app) == [
        ("a", "p", [0.25, 0.25, 0.75, 1.0], app.user_id),
        ("a", "q", None, app.user_id),
        ("a", "f", [0.25, 0.25, 0.5, 0.75], app.user_id),
        ("a", "w", None, app.user_id),
    ]
    assert listed(app, list_all_annotations=True) == []


# --- deleting -------------------------------------------------------------------------------------


def test_deleting_pairs(filled: Client) -> None:
    delete(filled, ["p1", "p2"], ["a", "a"])
    assert "p2" in ids_of(filled)
    assert "p1" not in ids_of(filled)
    delete(filled, ["p2"], ["a"], expect=DOES_NOT_EXIST)
    delete(filled, ["p1", "p2"], ["a"], expect=INVALID_REQUEST)
    delete(filled, ["p2"], [], expect=INVALID_REQUEST)
    delete(filled, [], [], expect=INVALID_REQUEST)
    delete(filled, [], ["a"] * 129, expect=INVALID_REQUEST)
    assert "p2" in ids_of(filled)


def test_deleting_all_of_an_input_keeps_the_input_level_one(filled: Client) -> None:
    post(filled, note(whole(("k", 1)), "c", id="p3"))
    delete(filled, [], ["c", "b"])
    (level,) = listed(filled, input_ids=["c"])
    assert level.input_level
    assert ids_of(filled, list_all_annotations=True) == ["m1", "p1", level.id]
    delete(filled, [], ["none"], expect=DOES_NOT_EXIST)
    delete(filled, [level.id], ["c"], expect=INVALID)
    request = service_pb2.DeleteAnnotationRequest(annotation_id=level.id, input_id="c")
    filled.call("DeleteAnnotation", request, INVALID)
    assert level.id in ids_of(filled)


def test_deleting_one(filled: Client) -> None:
    for id_, input_id, code in [("p1", "b", 11101), ("none", "a", 11101), ("p1", "a", 10000), ("p1", "a", 11101)]:
        request = service_pb2.DeleteAnnotationRequest(annotation_id=id_, input_id=input_id)
        filled.call("DeleteAnnotation", request, code)


# --- the store's own promises ---------------------------------------------------------------------


def test_an_input_has_one_input_level_annotation(app: Client) -> None:
    by_model(app, whole(("c", 1)), input_level=True)
    with pytest.raises(IntegrityError):
        by_model(app, whole(("c", 1)), input_level=True)


def test_calls_are_a_handful_of_statements(app: Client, store: Store) -> None:
    sent: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))

    def count(call: Callable[[], Any]) -> int:
        sent.clear()
        call()
        return len(sent)

    many = [note(boxed((f"c{n % 5}", 1)), id=f"n{n}") for n in range(128)]
    assert count(lambda: post(app, *many)) <= 18
    assert count(lambda: listed(app)) <= 7
    changes = [Annotation(id=f"n{n}", data=boxed(("d", 1))) for n in range(128)]
    assert count(lambda: patch(app, "merge", *changes)) <= 18
    by_model(app, *(whole(("c", 0.5)) for _ in range(100)))
    assert count(lambda: delete(app, [], ["a"])) <= 10
    assert len(rejected(app)) == 100


def test_a_listing_survives_a_concept_less_row(app: Client, store: Store) -> None:
    by_model(app, Data(text=Text(raw="read by a machine")))
    assert [a.data.text.raw for a in listed(app)] == ["read by a machine"]
    with store.write() as conn:
        conn.execute(update(t.annotations).values(wire=b"\xff"))
    reply = app.call("ListAnnotations", service_pb2.ListAnnotationsRequest(), None)
    assert "can't be read" in reply.status.details
    with store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM annotations")).scalar() == 1


# --- walls ----------------------------------------------------------------------------------------


@pytest.fixture
def stranger(client: Client, server: Server) -> Client:
    """Another user with a key and an app of the same id."""
    user_id, token = f"user-{new_id()[-8:]}", new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    app = UserAppIDSet(user_id=user_id, app_id="app")
    made = dataclasses.replace(client, user_id=user_id, token=token, user_app_id=app)
    made.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="app")]))
    return made


def test_another_users_annotations_are_as_good_as_absent(filled: Client, stranger: Client) -> None:
    theirs = filled.user_app_id
    for app, missing in ((None, NO_INPUT), (theirs, DOES_NOT_EXIST)):
        post(stranger, note(whole(("k", 1))), app=app, expect=missing)
        change = [Annotation(id="p1", data=whole(("x", 1)))]
        request: Any = service_pb2.PatchAnnotationsRequest(user_app_id=app, action="merge", annotations=change)
        stranger.call("PatchAnnotations", request, DOES_NOT_EXIST)
        request = service_pb2.GetAnnotationRequest(user_app_id=app, annotation_id="p1", input_id="a")
        stranger.call("GetAnnotation", request, DOES_NOT_EXIST)
        request = service_pb2.DeleteAnnotationRequest(user_app_id=app, annotation_id="p1", input_id="a")
        stranger.call("DeleteAnnotation", request, DOES_NOT_EXIST)
        delete(stranger, ["p1"], ["a"], DOES_NOT_EXIST, app)
        delete(stranger, [], ["a"], DOES_NOT_EXIST, app)
    request = service_pb2.ListAnnotationsRequest(user_app_id=theirs, list_all_annotations=True)
    stranger.call("ListAnnotations", request, DOES_NOT_EXIST)
    assert listed(stranger, list_all_annotations=True) == []
    assert listed(stranger, ids=["p1"], input_ids=["a"]) == []
    assert listed(stranger, input_ids=["a"]) == []
    assert labels(get(filled, "p1").data) == [("k", 1)]


def test_another_apps_input_can_not_be_annotated(filled: Client) -> None:
    filled.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="second")]))
    second = UserAppIDSet(user_id=filled.user_id, app_id="second")
    post(filled, note(whole(("k", 1))), app=second, expect=NO_INPUT)
    assert listed(filled, app=second, list_all_annotations=True) == []
    assert listed(filled, app=second, input_ids=["a"], user_ids=["friend"]) == []
    delete(filled, ["p1"], ["a"], DOES_NOT_EXIST, second)
    assert "p1" in ids_of(filled)


def test_more_concepts_than_a_call_may_name_are_refused_and_none_is_made(client: Any) -> None:
    given = service_pb2.PostInputsRequest(inputs=[Input(id="many", data=Data(text=Text(raw="x")))])
    given.inputs[0].data.concepts.extend(Concept(id=f"c{i}") for i in range(10_001))
    reply = client.call("PostInputs", given, expect=11102)
    assert "10001 different concepts" in reply.status.details
    assert not client.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts
    client.call("GetInput", service_pb2.GetInputRequest(input_id="many"), expect=11101)
