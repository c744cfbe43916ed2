"""Inputs over the wire, on both databases."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Audio,
    Concept,
    Data,
    Geo,
    GeoPoint,
    Image,
    Input,
    Region,
    Text,
    Video,
)
from clarifai_grpc.grpc.api.status import status_pb2
from google.protobuf.json_format import MessageToDict
from sqlalchemy import func, insert, select, update

from labelwright import config
from labelwright.protocol.dispatch import Server
from labelwright.store import tables as t
from labelwright.store.engine import Store

Client = Any
"""The class of the fixture `client`."""

DOES_NOT_EXIST, DUPLICATE, INVALID_ARGUMENT = 11101, 30100, 30104
OVER_LIMIT, INVALID_URL, INVALID_REQUEST = 30105, 30106, 39999
SUFFIX = resources_pb2.SUFFIX


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.load(home=tmp_path / "home", max_media_bytes=2048)


@pytest.fixture(autouse=True)
def _hosted_addresses_stay_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address of hosted media holds the time at which it ends: two replies could differ by a second."""
    now = time.time()
    monkeypatch.setattr("labelwright.protocol.hosted.time", SimpleNamespace(time=lambda: now))


def text(raw: str = "words", id: str = "", **said: Any) -> Input:
    return Input(id=id, data=Data(text=Text(raw=raw), **said))


def image(id: str, content: bytes = b"pixels") -> Input:
    return Input(id=id, data=Data(image=Image(base64=content)))


def url(address: str, id: str = "", again: bool = False) -> Input:
    return Input(id=id, data=Data(image=Image(url=address, allow_duplicate_url=again)))


def post(client: Client, *inputs: Input, expect: int | None = 10000, resolution: Any = 0) -> Any:
    request = service_pb2.PostInputsRequest(inputs=inputs, input_id_conflict_resolution=resolution)
    return client.call("PostInputs", request, expect)


def get(client: Client, id_: str, expect: int = 10000) -> Input:
    reply: Input = client.call("GetInput", service_pb2.GetInputRequest(input_id=id_), expect).input
    return reply


def listed(client: Client, **fields: Any) -> list[str]:
    return [i.id for i in client.call("ListInputs", service_pb2.ListInputsRequest(**fields)).inputs]


def patch(client: Client, action: str, *inputs: Input, expect: int = 10000) -> Any:
    return client.call("PatchInputs", service_pb2.PatchInputsRequest(action=action, inputs=inputs), expect)


def delete(client: Client, *ids: str, expect: int = 10000) -> Any:
    return client.call("DeleteInputs", service_pb2.DeleteInputsRequest(ids=ids), expect)


def said(client: Client, **fields: Any) -> list[resources_pb2.Annotation]:
    request = service_pb2.ListAnnotationsRequest(**fields)
    return list(client.call("ListAnnotations", request).annotations)


def labels(item: Any) -> list[tuple[str, float]]:
    return [(c.id, c.value) for c in item.data.concepts]


def files(server: Server) -> list[Path]:
    root = server.settings.home / "media"
    return [p for p in root.rglob("*") if p.is_file()] if root.exists() else []


def other_app(client: Client, app_id: str = "other") -> resources_pb2.UserAppIDSet:
    client.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id=app_id)]))
    return resources_pb2.UserAppIDSet(user_id=client.user_id, app_id=app_id)


# --- posting --------------------------------------------------------------------------------------


def test_posted_inputs_wait_in_the_queue(client: Client) -> None:
    reply = post(client, text("one", "a"), text("two"))
    assert [i.status.code for i in reply.inputs] == [30001, 30001]
    assert reply.inputs[0].id == "a"
    assert len(reply.inputs[1].id) == 32
    assert reply.inputs[0].created_at.seconds > 1_600_000_000
    found = get(client, "a")
    assert found == reply.inputs[0]
    assert found.data.text.raw == "one"
    assert found.status.description == "Download pending"


def test_the_number_of_inputs(client: Client) -> None:
    post(client, expect=INVALID_REQUEST)
    post(client, *(text(str(n)) for n in range(129)), expect=INVALID_REQUEST)
    assert listed(client) == []
    post(client, *(text(str(n)) for n in range(128)))
    assert len(listed(client, per_page=1000)) == 128


def test_each_kind_of_media(client: Client, server: Server) -> None:
    inputs = [
        Input(id="i", data=Data(image=Image(url="https://x.test/i.jpg"))),
        Input(id="v", data=Data(video=Video(url="https://x.test/v.mp4"))),
        Input(id="a", data=Data(audio=Audio(base64=b"sound"))),
        Input(id="t", data=Data(text=Text(url="HTTP://x.test/t.txt"))),
    ]
    post(client, *inputs)
    assert get(client, "i").data == inputs[0].data
    assert get(client, "v").data.video.url == "https://x.test/v.mp4"
    assert get(client, "a").data.HasField("audio")
    assert not get(client, "a").data.audio.base64
    assert get(client, "t").data.text.url == "HTTP://x.test/t.txt"
    assert [p.read_bytes() for p in files(server)] == [b"sound"]


def test_bytes_lie_in_the_media_store_under_the_apps_key(client: Client, server: Server) -> None:
    reply = post(client, image("a", b"A" * 2048))
    assert not reply.inputs[0].data.image.base64
    with server.store.read() as conn:
        row = conn.execute(select(t.inputs)).one()
    assert row.media.startswith(f"{row.app}/")
    assert len(row.media.split("/")[1]) == 32
    assert server.blobs.get(row.media) == b"A" * 2048
    assert b"AAAA" not in row.wire


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (Input(), INVALID_ARGUMENT),
        (Input(id="x"), INVALID_ARGUMENT),
        (Input(data=Data(image=Image())), INVALID_ARGUMENT),
        (Input(data=Data(concepts=[Concept(id="c")])), INVALID_ARGUMENT),
        (Input(data=Data(image=Image(url="https://x.test/", base64=b"x"))), INVALID_ARGUMENT),
        (Input(data=Data(text=Text(url="https://x.test/", raw="x"))), INVALID_ARGUMENT),
        (Input(data=Data(image=Image(base64=b"x"), text=Text(raw="x"))), INVALID_ARGUMENT),
        (Input(data=Data(text=Text(raw="x"), regions=[Region(id="r")])), INVALID_ARGUMENT),
        (Input(data=Data(text=Text(raw="x")), dataset_ids=["d"]), INVALID_ARGUMENT),
        (text(concepts=[Concept(name="no id")]), INVALID_ARGUMENT),
        (text(concepts=[Concept(id="c", value=math.nan)]), INVALID_ARGUMENT),
        (text(id="line\nbreak"), INVALID_ARGUMENT),
        (text(id="x" * 257), INVALID_ARGUMENT),
        (text(id=" x"), INVALID_ARGUMENT),
        (text(id="nul\0"), INVALID_ARGUMENT),
        (url("ftp://x.test/i.jpg"), INVALID_URL),
        (url("/etc/passwd"), INVALID_URL),
        (image("", b"x" * 2049), OVER_LIMIT),
        (text("é" * 1025), OVER_LIMIT),
    ],
)
def test_what_is_not_an_input(client: Client, server: Server, item: Input, code: int) -> None:
    alone = post(client, item, expect=code)
    assert alone.inputs[0].status.code == code
    assert alone.inputs[0].status.details
    beside = post(client, text(), item, image("good"), expect=10010)
    assert [i.status.code for i in beside.inputs] == [30001, code, 30001]
    assert len(listed(client)) == 2
    assert len(files(server)) == 1


def test_regions_are_refused_with_advice(client: Client) -> None:
    reply = post(client, text(regions=[Region(id="r")]), expect=INVALID_ARGUMENT)
    assert "PostAnnotations" in reply.status.details


def test_all_failed_is_failure(client: Client) -> None:
    assert post(client, Input(), url("x"), expect=10020).inputs[1].status.code == INVALID_URL


def test_hostile_ids_and_names(client: Client) -> None:
    ids = ["'; DROP TABLE inputs; --", '"quoted"', "🐈", "x" * 256, "a/b\\c", "%_", "{}"]
    post(client, *(text(id=i, concepts=[Concept(id=i, name=f"n{i}"[:256], value=1)]) for i in ids))
    for id_ in ids:
        found = get(client, id_)
        assert (found.id, found.data.concepts[0].id) == (id_, id_)
        assert found.data.concepts[0].name == f"n{id_}"[:256]
    assert sorted(listed(client, ids=ids)) == sorted(ids)
    delete(client, *ids)
    assert listed(client) == []


def test_duplicate_ids(client: Client, server: Server) -> None:
    post(client, image("a"))
    reply = post(client, image("a", b"again"), expect=DUPLICATE)
    assert reply.inputs[0].status.details == "Input has a duplicate ID."
    assert reply.inputs[0].id == "a"
    reply = post(client, text(id="b"), text(id="b"), text(id="a"), expect=10010)
    assert [i.status.code for i in reply.inputs] == [30001, DUPLICATE, DUPLICATE]
    assert [p.read_bytes() for p in files(server)] == [b"pixels"]


def test_suffixes(client: Client) -> None:
    post(client, text(id="a"))
    reply = post(client, *(text(id="a") for _ in range(127)), resolution=SUFFIX)
    ids = [i.id for i in reply.inputs]
    assert ids[:9] == [f"a-{n}" for n in range(1, 10)]
    assert len(set(ids)) == 127
    assert all(i.startswith("a-") for i in ids)
    long = "x" * 256
    assert post(client, text(id=long), text(id=long), resolution=SUFFIX).inputs[1].id == "x" * 254 + "-1"


def test_duplicate_urls(client: Client) -> None:
    post(client, url("https://x.test/1", "a"))
    reply = post(client, url("https://x.test/1", "b"), expect=DUPLICATE)
    assert reply.inputs[0].status.details.startswith("Duplicate URL in your application")
    post(client, url("https://x.test/1", "c", again=True), url("https://x.test/1", "d", again=True))
    reply = post(client, url("https://x.test/2", "e"), url("https://x.test/2", "f"), expect=10010)
    assert [i.status.code for i in reply.inputs] == [30001, DUPLICATE]
    delete(client, "a")
    post(client, url("https://x.test/1", "b"))


def test_the_same_id_and_url_in_another_app(client: Client) -> None:
    post(client, url("https://x.test/1", "a"))
    other = other_app(client)
    request = service_pb2.PostInputsRequest(user_app_id=other, inputs=[url("https://x.test/1", "a")])
    client.call("PostInputs", request)


def test_a_job_id_is_accepted(client: Client) -> None:
    request = service_pb2.PostInputsRequest(inputs=[text()], inputs_add_job_id="job")
    assert client.call("PostInputs", request).inputs[0].status.code == 30001


def test_nothing_goes_into_an_app_that_is_not_there(client: Client, server: Server) -> None:
    gone = resources_pb2.UserAppIDSet(user_id=client.user_id, app_id="none")
    public = resources_pb2.UserAppIDSet(user_id="clarifai", app_id="main")
    for app in (gone, public):
        request = service_pb2.PostInputsRequest(user_app_id=app, inputs=[image("a")])
        client.call("PostInputs", request, DOES_NOT_EXIST)
    assert files(server) == []


def test_a_failing_transaction_leaves_no_media(client: Client, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> Any:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("labelwright.store.inputs.add", broken)
    post(client, image("a"), expect=10020)
    assert files(server) == []


def test_workers_are_woken(client: Client, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    # The handlers hold the frozen Server itself.
    object.__setattr__(server, "wake", lambda: woken.append(len(listed(client))))
    post(client, Input(), expect=INVALID_ARGUMENT)
    assert woken == []
    post(client, text())
    assert woken == [1]


def test_two_calls_at_once_give_each_id_to_one(client: Client) -> None:
    def attempt(_n: int) -> list[int]:
        reply = post(client, *(text(id=f"i{n}") for n in range(50)), expect=None)
        return [i.status.code for i in reply.inputs]

    with ThreadPoolExecutor(4) as pool:
        codes = [c for cs in pool.map(attempt, range(4)) for c in cs]
    assert sorted(codes) == [30001] * 50 + [DUPLICATE] * 150


def test_posting_is_a_handful_of_statements(client: Client, server: Server, statements: list[str]) -> None:
    concepts = [Concept(id=f"c{n}", value=1) for n in range(3)]
    for inputs in ([text(id="a", concepts=concepts)], [text(id=f"i{n}", concepts=concepts) for n in range(128)]):
        statements.clear()
        post(client, *inputs)
        assert len(statements) <= 18
    statements.clear()
    patch(client, "merge", *(Input(id=f"i{n}", data=Data(concepts=[Concept(id="d")])) for n in range(128)))
    assert len(statements) <= 18
    statements.clear()
    delete(client, *(f"i{n}" for n in range(128)))
    assert len(statements) <= 8


@pytest.fixture
def statements(store: Store) -> list[str]:
    """The SQL statements that have been sent."""
    from sqlalchemy import event

    sent: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    return sent


# --- what is said of an input ---------------------------------------------------------------------


def test_what_is_said_becomes_the_input_level_annotation(client: Client) -> None:
    geo = Geo(geo_point=GeoPoint(longitude=-30, latitude=40))
    item = text(id="a", concepts=[Concept(id="cat", name="Cat", value=1), Concept(id="dog")], geo=geo)
    item.data.metadata.update({"source": "zoo", "n": {"deep": [1, None]}})
    reply = post(client, item, text(id="plain"))
    assert labels(reply.inputs[0]) == [("cat", 1), ("dog", 0)]
    assert reply.inputs[0] == get(client, "a")
    found = get(client, "a").data
    assert [(c.name, c.app_id, c.user_id) for c in found.concepts] == [
        ("Cat", "app", client.user_id),
        ("dog", "app", client.user_id),
    ]
    assert found.geo == geo
    assert MessageToDict(found.metadata) == {"source": "zoo", "n": {"deep": [1.0, None]}}

    (level,) = said(client)
    assert level.input_level
    assert level.trusted
    assert (level.input_id, level.user_id, level.worker.user.id) == ("a", client.user_id, client.user_id)
    assert level.status.code == 24150
    assert labels(level) == [("cat", 1), ("dog", 0)]
    assert not level.data.HasField("text")
    assert level.data.geo == geo


def test_the_last_of_equal_concepts_counts(client: Client) -> None:
    post(client, text(id="a", concepts=[Concept(id="c", value=1), Concept(id="d", value=1), Concept(id="c")]))
    assert labels(get(client, "a")) == [("c", 0), ("d", 1)]


def test_new_concepts_are_made_and_counted_as_a_change(client: Client, server: Server) -> None:
    def revision() -> int:
        with server.store.read() as conn:
            found: int = conn.execute(select(t.apps.c.revision).where(t.apps.c.id == "app")).scalar_one()
        return found

    start = revision()
    post(client, text(concepts=[Concept(id="c", name="first", value=1)]))
    assert revision() > start
    seen = revision()
    post(client, text(id="a", concepts=[Concept(id="c", name="other name", value=1)]))
    assert revision() == seen
    assert get(client, "a").data.concepts[0].name == "first"


def test_patch_merge(client: Client) -> None:
    post(client, text(id="a", concepts=[Concept(id="x", value=1), Concept(id="y", value=1)]))
    reply = patch(client, "merge", Input(id="a", data=Data(concepts=[Concept(id="z", value=1), Concept(id="x")])))
    assert labels(reply.inputs[0]) == [("x", 0), ("y", 1), ("z", 1)]
    assert reply.inputs[0] == get(client, "a")
    assert get(client, "a").data.text.raw == "words"
    assert len(said(client)) == 1


def test_patch_overwrite_and_remove(client: Client) -> None:
    item = text(id="a", concepts=[Concept(id="x", value=1), Concept(id="y", value=1)])
    item.data.metadata.update({"k": 1, "l": 2})
    post(client, item)
    change = Input(id="a", data=Data(image=Image(url="https://x.test/"), concepts=[Concept(id="z", value=1)]))
    patch(client, "overwrite", change)
    found = get(client, "a").data
    assert [c.id for c in found.concepts] == ["z"]
    assert MessageToDict(found.metadata) == {"k": 1.0, "l": 2.0}
    assert found.text.raw == "words"
    assert not found.HasField("image")

    gone = Input(id="a", data=Data(concepts=[Concept(id="z"), Concept(id="unheard of")]))
    gone.data.metadata.update({"k": 0})
    patch(client, "remove", gone)
    found = get(client, "a").data
    assert not found.concepts
    assert MessageToDict(found.metadata) == {"l": 2.0}
    known = client.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts
    assert sorted(c.id for c in known) == ["x", "y", "z"]


def test_an_input_of_which_nothing_is_said_any_more(client: Client) -> None:
    post(client, text(id="a", concepts=[Concept(id="x", value=1)]))
    (level,) = said(client)
    patch(client, "remove", Input(id="a", data=Data(concepts=[Concept(id="x")])))
    assert said(client, list_all_annotations=True) == []
    patch(client, "merge", Input(id="a", data=Data(concepts=[Concept(id="y", value=1)])))
    assert [a.id for a in said(client)] == [level.id]


def test_a_patch_makes_the_annotation_where_there_is_none(client: Client) -> None:
    post(client, text(id="a"), text(id="b"))
    assert said(client) == []
    patch(client, "remove", Input(id="b", data=Data(concepts=[Concept(id="x")])))
    patch(client, "merge", Input(id="a", data=Data(geo=Geo(geo_point=GeoPoint(latitude=1)))), Input(id="b"))
    (level,) = said(client)
    assert (level.input_id, level.data.geo.geo_point.latitude, level.input_level) == ("a", 1, True)


def test_one_input_patched_twice_in_a_call(client: Client) -> None:
    post(client, text(id="a"))
    changes = [Input(id="a", data=Data(concepts=[Concept(id=c, value=1)])) for c in ("x", "y")]
    reply = patch(client, "merge", *changes)
    assert [labels(i) for i in reply.inputs] == [[("x", 1), ("y", 1)]] * 2
    assert len(said(client)) == 1


def test_a_patch_changes_all_or_nothing(client: Client) -> None:
    post(client, text(id="a"))
    good = Input(id="a", data=Data(concepts=[Concept(id="x", value=1)]))
    reply = patch(client, "merge", good, Input(id="none"), expect=DOES_NOT_EXIST)
    assert "'none'" in reply.status.details
    patch(client, "merge", good, Input(id="a", data=Data(regions=[Region(id="r")])), expect=INVALID_ARGUMENT)
    patch(client, "explode", good, expect=11102)
    patch(client, "merge", expect=INVALID_REQUEST)
    assert not get(client, "a").data.concepts
    assert said(client) == []
    assert list(client.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts) == []


def test_a_patch_changes_the_time(client: Client) -> None:
    before = post(client, text(id="a")).inputs[0]
    after = patch(client, "merge", Input(id="a", data=Data(concepts=[Concept(id="x")]))).inputs[0]
    assert after.created_at == before.created_at
    assert after.modified_at.ToMicroseconds() > before.modified_at.ToMicroseconds()


# --- reading --------------------------------------------------------------------------------------


def test_listing(client: Client, server: Server) -> None:
    post(client, *(text(id=f"i{n}", concepts=[Concept(id="c", value=n / 4)]) for n in range(5)))
    assert listed(client) == ["i4", "i3", "i2", "i1", "i0"]
    assert listed(client, page=2, per_page=2) == ["i2", "i1"]
    assert listed(client, page=1000, per_page=500) == []
    assert listed(client, ids=["i1", "i3", "none"]) == ["i3", "i1"]
    found = client.call("ListInputs", service_pb2.ListInputsRequest()).inputs
    assert [i.data.concepts[0].value for i in found] == [1, 0.75, 0.5, 0.25, 0]
    with server.store.write() as conn:
        conn.execute(update(t.inputs).where(t.inputs.c.id == "i1").values(status_code=30000))
    assert listed(client, status=status_pb2.Status(code=30000)) == ["i1"]
    assert listed(client, status=status_pb2.Status(code=30001), ids=["i1", "i2"]) == ["i2"]
    client.call("ListInputs", service_pb2.ListInputsRequest(per_page=1001), 11102)
    client.call("ListInputs", service_pb2.ListInputsRequest(ids=["x"] * 1001), 11102)


def test_a_failed_input_says_why(client: Client, server: Server) -> None:
    post(client, text(id="a"))
    with server.store.write() as conn:
        conn.execute(update(t.inputs).values(status_code=30002, status_details="no such host"))
    found = get(client, "a").status
    assert (found.code, found.details) == (30002, "no such host")


def test_counts(client: Client, server: Server) -> None:
    def counts() -> list[int]:
        c = client.call("GetInputCount", service_pb2.GetInputCountRequest()).counts
        return [
            c.processed, c.to_process, c.errors, c.processing,
            c.reindexed, c.to_reindex, c.reindex_errors, c.reindexing,
        ]  # fmt: skip

    assert counts() == [0] * 8
    post(client, *(text(id=f"i{n}") for n in range(6)))
    with server.store.write() as conn:
        for n, code in enumerate([30000, 30002, 30101, 30003]):
            conn.execute(update(t.inputs).where(t.inputs.c.id == f"i{n}").values(status_code=code))
        app = conn.execute(select(t.apps.c.pk).where(t.apps.c.id == "app")).scalar_one()
        jobs = [("rerun", "running", 10, 3, 1), ("rerun", "queued", 7, 0, 0), ("rerun", "done", 9, 9, 0)]
        jobs.append(("training", "running", 5, 1, 1))
        for n, (kind, state, total, done, failed) in enumerate(jobs):
            conn.execute(
                insert(t.jobs).values(
                    app=app, id=f"j{n}", kind=kind, state=state, total=total, done=done, failed=failed,
                    params={}, cursor={}, created_at=0, modified_at=0,
                )
            )  # fmt: skip
    assert counts() == [1, 2, 2, 1, 2, 7, 1, 7]


# --- deleting -------------------------------------------------------------------------------------


def test_deleting(client: Client, server: Server) -> None:
    post(client, image("a", b"A"), image("b", b"B"), text(id="c", concepts=[Concept(id="x", value=1)]))
    client.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="a"))
    get(client, "a", DOES_NOT_EXIST)
    assert [p.read_bytes() for p in files(server)] == [b"B"]
    client.call("DeleteInput", service_pb2.DeleteInputRequest(input_id="a"), DOES_NOT_EXIST)
    delete(client, "c", "a")
    assert listed(client) == ["b"]
    assert said(client, list_all_annotations=True) == []
    with server.store.read() as conn:
        assert conn.execute(select(func.count()).select_from(t.annotation_concepts)).scalar() == 0
    delete(client, "a", "c", expect=DOES_NOT_EXIST)
    delete(client)
    delete(client, *(str(n) for n in range(129)), expect=INVALID_REQUEST)
    assert listed(client) == ["b"]


def test_media_that_can_not_be_deleted_do_not_fail_the_call(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelwright.errors import StoreError
    from labelwright.media.blobs import BlobStore

    def broken(_self: BlobStore, _key: str) -> None:
        raise StoreError("read-only")

    post(client, image("a"))
    monkeypatch.setattr(BlobStore, "delete", broken)
    delete(client, "a")
    get(client, "a", DOES_NOT_EXIST)


# --- walls ----------------------------------------------------------------------------------------


Attempt = Callable[[resources_pb2.UserAppIDSet], tuple[str, Any]]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda app: ("GetInput", service_pb2.GetInputRequest(user_app_id=app, input_id="a")),
        lambda app: ("DeleteInput", service_pb2.DeleteInputRequest(user_app_id=app, input_id="a")),
        lambda app: ("DeleteInputs", service_pb2.DeleteInputsRequest(user_app_id=app, ids=["a"])),
        lambda app: (
            "PatchInputs",
            service_pb2.PatchInputsRequest(
                user_app_id=app, action="merge", inputs=[Input(id="a", data=Data(concepts=[Concept(id="x")]))]
            ),
        ),
    ],
)
def test_another_apps_input_is_as_good_as_absent(client: Client, stranger: Client, attempt: Attempt) -> None:
    post(client, text(id="a"))
    rpc, request = attempt(other_app(client))
    client.call(rpc, request, DOES_NOT_EXIST)
    for app in (client.user_app_id, stranger.user_app_id):
        rpc, request = attempt(app)
        stranger.call(rpc, request, DOES_NOT_EXIST)
    left = get(client, "a").data
    assert left.text.raw == "words"
    assert not left.concepts


def test_lists_and_counts_stay_within_the_app(client: Client, stranger: Client) -> None:
    post(client, text(id="a"))
    assert listed(client, user_app_id=other_app(client)) == []
    assert listed(stranger) == []
    assert stranger.call("GetInputCount", service_pb2.GetInputCountRequest()).counts.to_process == 0
    for rpc, request in (
        ("ListInputs", service_pb2.ListInputsRequest(user_app_id=client.user_app_id)),
        ("GetInputCount", service_pb2.GetInputCountRequest(user_app_id=client.user_app_id)),
        ("PostInputs", service_pb2.PostInputsRequest(user_app_id=client.user_app_id, inputs=[text()])),
    ):
        stranger.call(rpc, request, DOES_NOT_EXIST)
    assert listed(client) == ["a"]


@pytest.fixture
def stranger(client: Client, server: Server) -> Client:
    """Another user with a key and an app of the same id."""
    from labelwright.ids import new_id
    from labelwright.store import users

    user_id, token = f"user-{new_id()[-8:]}", new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    app = resources_pb2.UserAppIDSet(user_id=user_id, app_id="app")
    made = dataclasses.replace(client, user_id=user_id, token=token, user_app_id=app)
    made.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="app")]))
    return made


def test_a_nul_in_a_question_is_no_failure_of_the_server(client: Client) -> None:
    # PostgreSQL can't hold one and refuses the request; SQLite finds nothing.
    for rpc, request in (
        ("GetInput", service_pb2.GetInputRequest(input_id="a\0")),
        ("DeleteInputs", service_pb2.DeleteInputsRequest(ids=["a\0"])),
    ):
        assert client.call(rpc, request, None).status.code in (DOES_NOT_EXIST, 11102)
