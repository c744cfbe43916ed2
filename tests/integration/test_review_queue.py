"""Being given items to review, keeping them, giving them back, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import Annotation, Concept, Data, Image, Input, Region, RegionInfo, Span
from clarifai_grpc.grpc.api.status import status_pb2
from sqlalchemy import delete, event, select, update

from labelwright.annotator.undo import undo as undo_run
from labelwright.errors import InvalidRequest
from labelwright.ids import new_id
from labelwright.protocol import review_queue, verdicts
from labelwright.store import review_items
from labelwright.store import tables as t
from labelwright.store.engine import now
from tests.integration.some_people import another, share
from tests.integration.some_reviews import FLAGGED, SUCCESS, Reviewer, add_inputs, predicted, scanned, verdict, waiting

Client = Any
"""The class of the fixture `client`."""


def taken(reply: dict[str, Any]) -> list[str]:
    return [i["item"] for i in reply["items"]]


def scores(reply: dict[str, Any]) -> list[float]:
    return [round(i["score"], 3) for i in reply["items"]]


def many(client: Client, values: list[float], concept: str = "dog", **fields: Any) -> list[str]:
    """An input for each score; returns the items."""
    names = [new_id() for _ in values]
    add_inputs(client, *names)
    return [f"{predicted(client, n, [(concept, v)], **fields)}.0" for n, v in zip(names, values, strict=True)]


VALUES = [0.05, 0.45, 0.5, 0.52, 0.6, 0.9, 0.49, 0.3]


@pytest.mark.parametrize("mode", ["single", "grid"])
def test_orders(client: Client, mode: str) -> None:
    many(client, VALUES)
    me = Reviewer(client)
    assert scores(me.call(review_queue.take, mode=mode, n=8)) == [0.5, 0.49, 0.52, 0.45, 0.6, 0.3, 0.9, 0.05]
    assert scores(me.call(review_queue.take, mode=mode, n=8, order="confident")) == sorted(VALUES, reverse=True)
    random = me.call(review_queue.take, mode=mode, n=8, order="random")
    assert sorted(scores(random)) == sorted(VALUES)
    assert taken(random) == taken(me.call(review_queue.take, mode=mode, n=8, order="random"))


def test_the_order_goes_on_from_page_to_page(client: Client) -> None:
    values = [round(0.005 * i, 3) for i in range(60)] + [0.5] * 30
    many(client, values)
    me = Reviewer(client)
    orders: dict[str, Callable[[float], float]] = {"uncertain": lambda v: abs(v - 0.5), "confident": lambda v: -v}
    for order, key in orders.items():
        found: list[float] = []
        seen: list[str] = []
        while items := me.call(review_queue.take, mode="grid", n=7, order=order, exclude=seen)["items"]:
            found += [round(i["score"], 3) for i in items]
            seen += [i["item"] for i in items]
        assert len(set(seen)) == len(values)
        assert [key(v) for v in found] == sorted(key(v) for v in values)


@pytest.mark.parametrize("mode", ["single", "grid"])
def test_the_random_order_of_many_gives_each_once(client: Client, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_items, "FEW", 10)
    monkeypatch.setattr(review_items, "WINDOW", 4)
    mine = many(client, [0.5] * 150)
    many(client, [0.5] * 50, "cat")
    me, other = Reviewer(client), Reviewer(client, tab="other")
    given = {"mode": mode, "order": "random", "concept": "dog"}
    first = taken(me.call(review_queue.take, n=20, **given))
    assert len(set(first)) == 20
    # Neither the oldest nor the newest twenty: the chance of either is one in 10^26.
    assert sorted(first) not in (sorted(mine[:20]), sorted(mine[-20:]))
    assert sorted(taken(me.call(review_queue.take, n=20, **given))) == sorted(first)
    theirs = taken(other.call(review_queue.take, n=50, **given))
    assert not set(theirs) & set(first)
    rest = taken(me.call(review_queue.take, n=150, exclude=first, **given))
    assert sorted(first + theirs + rest) == sorted(mine)
    assert not other.call(review_queue.take, n=1, exclude=theirs, **given)["items"]


def test_filters(client: Client) -> None:
    dogs = many(client, [0.2, 0.4, 0.6])
    cats = many(client, [0.3, 0.5], "cat", model_version_id="other")
    flagged = many(client, [0.7], "cow", status=FLAGGED)
    image = Input(id="i", data=Data(image=Image(url="http://127.0.0.1:1/a.jpg")))
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[image]))
    shown = f"{predicted(client, 'i', [('owl', 0.8)])}.0"
    with client.server.store.write() as conn:
        run = conn.execute(select(t.runs.c.id)).scalar_one()
        conn.execute(update(t.review_items).where(t.review_items.c.score == 0.4).values(run=None))
    me = Reviewer(client)

    def found(**given: Any) -> set[str]:
        reply = me.call(review_queue.take, mode="grid", n=50, **given)
        summary = me.call(review_queue.summary, "ListAnnotations", **given)
        assert len(reply["items"]) == reply["left"] == summary["left"]
        return set(taken(reply))

    assert found() == {*dogs, *cats, shown}
    assert found(concept="dog") == set(dogs)
    assert found(concept=["dog", "cat"]) == {*dogs, *cats}
    assert found(concept=["dog", "nobody"], order="confident") == set(dogs)
    assert found(concept="nobody") == set()
    assert found(min=0.4, max="0.5") == {dogs[1], cats[1]}
    assert found(concept="dog", min="0.4") == {dogs[1], dogs[2]}
    assert found(model_version="other") == set(cats)
    assert found(model_version="nobody") == set()
    assert found(run=run) == {dogs[0], dogs[2], *cats, shown}
    assert found(run="nobody") == set()
    assert found(status="flagged") == set(flagged)
    assert found(kind="image") == {shown}
    assert found(kind="text", concept="cat") == set(cats)
    assert found(kind="video") == set()


@pytest.mark.parametrize(
    "given",
    [
        {"tab": ""},
        {"tab": 3},
        {"tab": "x" * 65},
        {"mode": "both"},
        {"n": 0},
        {"n": 201},
        {"n": 1.5},
        {"n": "many"},
        {"n": True},
        {"order": "best"},
        {"min": -0.1},
        {"max": "nan"},
        {"min": "1e999"},
        {"min": []},
        {"concept": {"id": "dog"}},
        {"concept": ["dog"] * 101},
        {"concept": "a\x00b"},
        {"status": "done"},
        {"kind": "smell"},
        {"run": "x" * 257},
        {"exclude": ["nonsense"]},
        {"exclude": ["a.01"]},
        {"exclude": [f"a.{i}" for i in range(501)]},
    ],
)
def test_what_is_no_wish_is_refused(client: Client, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        Reviewer(client).call(review_queue.take, **given)


def test_nobody_gets_what_another_holds(client: Client) -> None:
    items = many(client, [0.5 + 0.01 * i for i in range(6)])
    me, they = Reviewer(client), Reviewer(client, tab="other")
    assert taken(me.call(review_queue.take, mode="grid", n=4)) == items[:4]
    reply = they.call(review_queue.take, mode="grid", n=9)
    assert (taken(reply), reply["left"]) == (items[4:], 2)
    assert me.call(review_queue.take, mode="grid", n=9)["left"] == 4
    summary = me.call(review_queue.summary, "ListAnnotations")
    assert (summary["left"], summary["held"]) == (4, 2)
    # What one holds already is given again, save what is excluded.
    assert taken(me.call(review_queue.take, mode="grid", n=9, exclude=items[:2])) == items[2:4]
    assert me.call(review_queue.release) == {"released": 4}
    assert me.call(review_queue.release) == {"released": 0}
    assert taken(they.call(review_queue.take, mode="grid", n=9)) == items
    assert me.call(review_queue.take, mode="grid", n=9) == {"items": [], "left": 0}


def test_leases_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    items = many(client, [0.5, 0.51, 0.52])
    me, they = Reviewer(client), Reviewer(client, tab="other")
    at = now()
    monkeypatch.setattr(review_queue, "now", lambda: at)
    me.call(review_queue.take, mode="grid", n=3)
    monkeypatch.setattr(review_queue, "now", lambda: at + review_items.LEASE - 1)
    assert they.call(review_queue.take, mode="grid", n=3)["items"] == []
    assert me.call(review_queue.hold, items=items[:1]) == {"held": items[:1], "lost": []}
    monkeypatch.setattr(review_queue, "now", lambda: at + review_items.LEASE)
    assert taken(they.call(review_queue.take, mode="grid", n=1)) == items[1:2]
    # Nobody wanted the third meanwhile: it is mine again.
    assert me.call(review_queue.hold, items=items) == {"held": [items[0], items[2]], "lost": [items[1]]}
    gone = [*items, "01.0"]
    assert Reviewer(client, tab="third").call(review_queue.hold, items=gone) == {"held": [], "lost": gone}


def test_single_takes_an_input_whole(client: Client) -> None:
    add_inputs(client, "a", "b")
    first = predicted(client, "a", [("dog", 0.5), ("cat", 0.9)])
    second = predicted(client, "a", [("owl", 0.8)], status=FLAGGED)
    other = predicted(client, "b", [("dog", 0.7)])
    me, they = Reviewer(client), Reviewer(client, tab="other")
    (item,) = me.call(review_queue.take, n=1)["items"]
    assert (item["item"], item["input"]["id"]) == (f"{first}.0", "a")
    assert [(o["item"], o["status"]) for o in item["others"]] == [(f"{first}.1", "pending"), (f"{second}.0", "flagged")]
    assert all("input" not in o for o in item["others"])
    assert taken(they.call(review_queue.take, n=5)) == [f"{other}.0"]
    assert taken(they.call(review_queue.take, mode="grid", n=5)) == [f"{other}.0"]
    # Skipping one of its items skips the input.
    assert taken(me.call(review_queue.take, n=5, exclude=[f"{first}.1"])) == []
    they.call(review_queue.release)
    me.call(review_queue.release)
    they.call(review_queue.take, mode="grid", n=1, concept="cat")
    # Another looks at a part of it: the whole is passed over.
    assert taken(me.call(review_queue.take, n=5)) == [f"{other}.0"]


@pytest.mark.parametrize("mode", ["single", "grid"])
def test_many_at_once_never_get_the_same(client: Client, mode: str) -> None:
    add_inputs(client, *(f"i{n}" for n in range(24)))
    for n in range(24):
        predicted(client, f"i{n}", [("dog", 0.5), ("cat", 0.6)])
    found: dict[str, list[str]] = {}
    errors: list[BaseException] = []

    def work(tab: str) -> None:
        me = Reviewer(client, tab=tab)
        mine: list[str] = []
        try:
            for _ in range(4):
                reply = me.call(review_queue.take, mode=mode, n=3, exclude=mine)
                for item in reply["items"]:
                    mine += [item["item"], *(o["item"] for o in item.get("others", ()))]
        except BaseException as e:  # noqa: BLE001 (told below, in the test's own thread)
            errors.append(e)
        found[tab] = mine

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    everything = [i for items in found.values() for i in items]
    assert len(everything) == len(set(everything))
    assert len(everything) == (48 if mode == "grid" else len(everything))
    if mode == "single":
        inputs = [{i.split(".")[0] for i in items} for items in found.values()]
        assert sum(map(len, inputs)) == len(set().union(*inputs))
        assert len(everything) >= 24


def test_the_places_of_items(client: Client) -> None:
    add_inputs(client, "a")
    span = RegionInfo(span=Span(char_start=2, char_end=5, raw_text="cat"))
    data = Data(regions=[Region(id="s", region_info=span)])
    predicted(client, "a", [("animal", 0.5, 0)], data=data)
    (item,) = Reviewer(client).call(review_queue.take)["items"]
    assert item["place"] == {"kind": "span", "region_id": "s", "start": 2, "end": 5, "text": "cat"}
    assert item["model"] == {"id": "", "name": "", "version_id": "version"}
    assert item["workflow_version_id"] == "workflow-version"
    assert item["input"]["data"]["text"]["raw"] == "a"


def test_summary(client: Client) -> None:
    items = many(client, [0.4, 0.5, 0.6]) + many(client, [0.5], "cat")
    many(client, [0.5], "cat", status=FLAGGED)
    guest = another(client)
    share(client, guest, "All")
    me, they = Reviewer(client), Reviewer(client, guest.token, "theirs")
    me.call(verdicts.decide, action="1", verdicts=[verdict(items[0], "dog"), verdict(items[3], "cat")])
    they.call(verdicts.decide, action="2", verdicts=[verdict(items[1], "dog", "reject")])
    me.call(verdicts.undo, action="1")
    me.call(verdicts.decide, action="3", verdicts=[verdict(items[0], "dog")])
    summary = me.call(review_queue.summary, "ListAnnotations")
    assert summary["mine"] == {"today": 1, "all": 1}
    assert summary["all"] == {"today": 2, "all": 2}
    assert summary["people"] == [{"user_id": u, "today": 1} for u in sorted([client.user_id, guest.user_id])]
    assert summary["statuses"] == {"pending": 2, "flagged": 1}
    assert summary["concepts"] == [
        {"id": "cat", "name": "cat", "pending": 1, "flagged": 1},
        {"id": "dog", "name": "dog", "pending": 1, "flagged": 0},
    ]
    assert [(v["version_id"], v["pending"]) for v in summary["model_versions"]] == [("version", 2)]
    assert [r["pending"] for r in summary["runs"]] == [2]
    later = me.call(review_queue.summary, "ListAnnotations", since=2**39)
    assert (later["mine"], later["people"]) == ({"today": 0, "all": 1}, [])


def test_what_waits_follows_every_change(client: Client) -> None:
    """Posted, patched, given another status, deleted, with their input, by a run that is taken back."""
    add_inputs(client, "a", "b")

    def check(n: int) -> None:
        assert waiting(client) == scanned(client)
        assert len(waiting(client)) == n

    pending = status_pb2.Status(code=24151)
    two = Data(concepts=[Concept(id="dog", value=0.5), Concept(id="cat", value=0.4)])
    notes = [Annotation(id=i, input_id="a", data=two, status=pending) for i in ("x", "y")]
    client.call("PostAnnotations", service_pb2.PostAnnotationsRequest(annotations=notes))
    check(4)
    me, they = Reviewer(client), Reviewer(client, tab="other")
    me.call(review_queue.take, mode="grid", n=9)
    patch = Annotation(id="x", data=Data(concepts=[Concept(id="owl", value=0.3), Concept(id="dog", value=0.6)]))
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    check(5)
    # Who looks at it goes on looking at it: what is new alone is another's to take.
    assert [i["concept"]["id"] for i in they.call(review_queue.take, mode="grid", n=9)["items"]] == ["owl"]
    patch = Annotation(id="y", status=status_pb2.Status(code=SUCCESS))
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    check(3)
    request = service_pb2.PatchAnnotationsStatusRequest(action="overwrite", user_ids=["me"], status_code=FLAGGED)
    client.call("PatchAnnotationsStatus", request)
    check(5)
    client.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(annotation_id="y", input_id="a"))
    check(3)
    predicted(client, "b", [("dog", 0.5)])
    check(4)
    with client.server.store.write() as conn:
        conn.execute(delete(t.concepts).where(t.concepts.c.id == "cat"))
    check(3)
    client.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="a"))
    check(1)
    with client.server.store.read() as conn:
        run = conn.execute(select(t.runs.c.id)).scalar_one()
    undo_run(client.server.store, run)
    check(0)


def test_what_is_said_of_an_input_never_waits(client: Client) -> None:
    given = Input(id="a", data=two_concepts())
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[given]))
    with client.server.store.read() as conn:
        level = conn.execute(select(t.annotations.c.id)).scalar_one()
    patch = Annotation(id=level, status=status_pb2.Status(code=24151))
    client.call("PatchAnnotations", service_pb2.PatchAnnotationsRequest(action="merge", annotations=[patch]))
    assert waiting(client) == scanned(client) == []


def two_concepts() -> Data:
    data = Data(concepts=[Concept(id="dog", value=1), Concept(id="cat", value=1)])
    data.text.raw = "a"
    return data


def test_taking_more_asks_no_more_often(client: Client) -> None:
    many(client, [0.5 + 0.001 * i for i in range(40)])
    asked: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = client.server.store.engine
    counts = []
    for mode in ("grid", "single"):
        for n in (2, 40):
            me = Reviewer(client, tab=f"{mode}{n}")
            me.call(review_queue.take, n=1)
            me.call(review_queue.release)
            asked.clear()
            event.listen(engine, "before_cursor_execute", note)
            assert len(me.call(review_queue.take, mode=mode, n=n)["items"]) == n
            event.remove(engine, "before_cursor_execute", note)
            counts.append(len(asked))
            me.call(review_queue.release)
    # The last concept of a few is asked for in another way than that of many.
    assert max(counts) <= 20
    assert abs(counts[0] - counts[1]) <= 2
    assert abs(counts[2] - counts[3]) <= 2
