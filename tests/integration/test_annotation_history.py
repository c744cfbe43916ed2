"""Who changed which annotation when, on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data
from clarifai_grpc.grpc.api.status import status_pb2

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import annotation_history, verdicts
from tests.integration.some_people import another, share
from tests.integration.some_reviews import PENDING, SUCCESS, Reviewer, add_inputs, predicted, verdict

Client = Any
"""The class of the fixture `client`."""


def history(me: Reviewer, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = me.call(annotation_history.history, "ListAnnotations", **given)["entries"]
    return found


def test_a_verdict_and_its_undoing(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7), ("cat", 0.6)])
    me = Reviewer(client)
    made = me.call(verdicts.decide, action="x", verdicts=[verdict(f"{id_}.1", "cat")])["results"][0]["annotation_id"]
    (entry,) = history(me)
    assert {k: v for k, v in entry.items() if k not in ("pk", "at", "before")} == {
        "action": "x",
        "kind": "accept",
        "item": f"{id_}.1",
        "user_id": client.user_id,
        "input_id": "a",
        "annotation_id": made,
        "concept": {"id": "cat", "name": "cat"},
        "undone_at": None,
        "undone_by": None,
    }
    before = entry["before"]
    assert (before["status"], before["value"], before["score"]) == (PENDING, 0.6, 0.6)
    assert [(c["id"], c["value"]) for c in before["concepts"]] == [("dog", 0.7), ("cat", 0.6)]
    assert datetime.fromisoformat(entry["at"]).tzinfo is not None
    assert history(me, annotation=made) == history(me, annotation=id_) == [entry]
    assert history(me, annotation="nobody") == history(me, input="nobody") == history(me, user="nobody") == []
    me.call(verdicts.undo)
    (entry,) = history(me, input="a", user="me")
    assert entry["undone_by"] == client.user_id
    assert entry["undone_at"] >= entry["at"]


def test_what_clients_of_the_api_change(client: Client) -> None:
    add_inputs(client, "a")
    note = Annotation(id="n", input_id="a", data=Data(concepts=[Concept(id="dog", value=1)]))
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=[note]))
    patch = Annotation(id="n", data=Data(concepts=[Concept(id="cat", value=1)]))
    patched = client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    status = service_pb2.PatchAnnotationsStatusRequest(action="overwrite", user_ids=["me"], status_code=PENDING)
    moved = client.call("PatchAnnotationsStatus", status)
    gone = client.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(annotation_id="n", input_id="a"))
    me = Reviewer(client)
    found = history(me)
    assert [(e["kind"], e["action"], e["annotation_id"], e["concept"]) for e in found] == [
        ("delete", gone.status.req_id, "n", None),
        ("patch", moved.status.req_id, "n", None),
        ("patch", patched.status.req_id, "n", None),
    ]
    assert [[c["id"] for c in e["before"]["concepts"]] for e in found] == [["dog", "cat"], ["dog", "cat"], ["dog"]]
    assert [e["before"]["status"] for e in found] == [PENDING, SUCCESS, SUCCESS]
    # Without a name it is the last verdict, and there was none.
    assert me.call(verdicts.undo)["action"] is None
    # The same once more changes nothing, and is no change to tell of.
    assert me.call(verdicts.undo, action=gone.status.req_id)["restored"] == 1
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    assert len(history(me)) == 3


def test_a_patch_that_empties_and_deletes(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7)])
    patch = Annotation(id=id_, data=Data(concepts=[Concept(id="dog")]))
    request = service_pb2.PatchAnnotationsRequest(action="remove", annotations=[patch], delete_if_empty_data=True)
    client.call("PatchAnnotations", request)
    assert [e["kind"] for e in history(Reviewer(client))] == ["delete"]
    assert Reviewer(client).call(verdicts.decide, action="x", verdicts=[verdict(f"{id_}.0", "dog")])["results"] == [
        {"item": f"{id_}.0", "state": "gone", "by": client.user_id}
    ]


def test_what_was_refused_leaves_no_trace(client: Client) -> None:
    add_inputs(client, "a")
    id_ = predicted(client, "a", [("dog", 0.7)])
    bad = Annotation(id=id_, status=status_pb2.Status(code=1))
    request = service_pb2.PatchAnnotationsRequest(action="merge", annotations=[bad])
    client.call("PatchAnnotations", request, expect=24155)
    assert history(Reviewer(client)) == []


def test_pages_and_walls(client: Client) -> None:
    add_inputs(client, "a", "b")
    id_ = predicted(client, "a", [(f"c{i}", 0.5) for i in range(5)])
    me = Reviewer(client)
    for i in range(5):
        me.call(verdicts.decide, action=f"x{i}", verdicts=[verdict(f"{id_}.{i}", f"c{i}")])
    found: list[str] = []
    before = None
    while True:
        page = me.call(annotation_history.history, "ListAnnotations", n="2", before=before)
        found += [e["action"] for e in page["entries"]]
        if (before := page["next"]) is None:
            break
    assert found == ["x4", "x3", "x2", "x1", "x0"]
    for given in ({"n": 0}, {"n": 201}, {"before": "x"}, {"input": 3}):
        with pytest.raises(InvalidRequest):
            history(me, **given)
    with pytest.raises(DoesNotExist):
        history(Reviewer(client, another(client).token))
    reader = another(client, "reader")
    share(client, reader, "All")
    assert len(history(Reviewer(client, reader.token))) == 5
