"""Apps, through the official client."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, HostedURL, Image, PatchAction, UserAppIDSet, Visibility, Workflow
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BoolValue
from sqlalchemy import select

from labelwright.protocol.dispatch import Server
from labelwright.protocol.resources import apps as handlers
from labelwright.store import apps, concepts, relations, workflows
from labelwright.store.relations import Edge
from labelwright.store.tables import jobs

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONN_INVALID_REQUEST
DUPLICATE = status_code_pb2.DATABASE_DUPLICATE_KEY


def post(client: Any, *given: App, expect: int = 10000) -> Any:
    return client.call("PostApps", service_pb2.PostAppsRequest(apps=given), expect=expect)


def get(client: Any, app_id: str, *, user_id: str = "me", expect: int = 10000) -> Any:
    named = UserAppIDSet(user_id=user_id, app_id=app_id)
    return client.call("GetApp", service_pb2.GetAppRequest(user_app_id=named), expect=expect)


def listed(client: Any, **asked: Any) -> list[str]:
    reply = client.call("ListApps", service_pb2.ListAppsRequest(**asked))
    return [a.id for a in reply.apps]


def patch(client: Any, *changes: App, expect: int = 10000, action: str = "overwrite", **more: Any) -> Any:
    request = service_pb2.PatchAppsRequest(apps=changes, action=action, **more)
    return client.call("PatchApps", request, expect=expect)


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def add_workflow(client: Any, app_id: str, workflow_id: str) -> int:
    """An empty workflow put straight into the store."""
    with client.server.store.write() as conn:
        row = apps.get(conn, client.user_id, app_id)
        assert row is not None
        return workflows.add(conn, row.pk, id=workflow_id, wire=b"", version_wire=b"", nodes=[])


def revision(client: Any, app_id: str = "app") -> int:
    with client.server.store.read() as conn:
        row = apps.get(conn, client.user_id, app_id)
        assert row is not None
        number: int = row.revision
        return number


# --- posting --------------------------------------------------------------------------------------


def test_a_posted_app_comes_back_with_all_that_it_was_given(client: Any) -> None:
    given = App(
        id="shop",
        name="The shop",
        description="what we sell",
        notes="n" * 1000,
        default_language="de",
        sample_ms=500,
        metadata=struct(team="red", nested={"a": [1, 2]}),
        image=Image(url="https://example.test/logo.png"),
        is_template=BoolValue(value=True),
    )
    (app,) = post(client, given).apps
    assert app == get(client, "shop").app
    assert (app.user_id, app.id, app.name) == (client.user_id, "shop", "The shop")
    assert app.created_at.ToMicroseconds() == app.modified_at.ToMicroseconds() > 0
    assert app.visibility.gettable == Visibility.PRIVATE
    for field in ("description", "notes", "default_language", "sample_ms", "metadata", "image", "is_template"):
        assert getattr(app, field) == getattr(given, field), field


def test_what_the_server_computes_can_not_be_given(client: Any) -> None:
    (app,) = post(client, App(id="a", user_id="somebody", star_count=7, is_starred=True)).apps
    assert (app.user_id, app.star_count, app.is_starred) == (client.user_id, 0, False)


def test_the_name_defaults_to_the_id_and_the_id_to_a_new_one(client: Any) -> None:
    first, second = post(client, App(), App(id="named-by-id")).apps
    assert len(first.id) == 32
    assert first.name == first.id
    assert second.name == "named-by-id"


def test_no_default_workflow_means_universal(client: Any) -> None:
    (app,) = post(client, App(id="a")).apps
    assert app.default_workflow == Workflow(id="Universal", app_id="main", user_id="clarifai")
    assert app.default_workflow_id == "Universal"


@pytest.mark.parametrize(
    "given",
    [
        App(id="a", default_workflow_id="General"),
        App(id="a", default_workflow=Workflow(id="General")),
        App(id="a", default_workflow=Workflow(id="General", app_id="main")),
        App(id="a", default_workflow=Workflow(id="General", app_id="main", user_id="clarifai")),
        App(id="a", default_workflow=Workflow(id="General"), default_workflow_id="Empty"),
    ],
)
def test_a_public_workflow_is_found_however_it_is_named(client: Any, given: App) -> None:
    (app,) = post(client, given).apps
    assert app.default_workflow == Workflow(id="General", app_id="main", user_id="clarifai")


def test_a_workflow_of_another_app_of_the_caller_can_be_the_default(client: Any) -> None:
    add_workflow(client, "app", "mine")
    (app,) = post(client, App(id="b", default_workflow=Workflow(id="mine", app_id="app"))).apps
    assert app.default_workflow == Workflow(id="mine", app_id="app", user_id=client.user_id)


@pytest.mark.parametrize(
    "base",
    [
        Workflow(id="nope"),
        Workflow(id="nope", app_id="main", user_id="clarifai"),
        Workflow(id="General", app_id="app"),
        Workflow(id="General", app_id="main", user_id="stranger"),
        Workflow(id="General", app_id="other", user_id="clarifai"),
    ],
)
def test_an_unknown_default_workflow_is_named_in_the_error(client: Any, base: Workflow) -> None:
    reply = post(client, App(id="fine"), App(id="a", default_workflow=base), expect=ABSENT)
    assert base.id in reply.status.details
    assert get(client, "fine", expect=ABSENT).status.description == "Resource does not exist"


def test_a_default_workflow_without_an_id_is_refused(client: Any) -> None:
    post(client, App(id="a", default_workflow=Workflow(app_id="main")), expect=INVALID)


def test_a_duplicate_id_is_refused_and_nothing_is_added(client: Any) -> None:
    reply = post(client, App(id="fresh"), App(id="app"), expect=DUPLICATE)
    assert "duplicate" in reply.status.details
    assert "app" in reply.status.details
    reply = post(client, App(id="twice"), App(id="twice"), expect=DUPLICATE)
    assert "duplicate" in reply.status.details
    assert listed(client) == ["app"]


@pytest.mark.parametrize("app_id", ["a/b", " a", "-a", "a" * 65, "ä", "a b"])
def test_an_id_that_is_not_legal_is_refused(client: Any, app_id: str) -> None:
    assert "app id" in post(client, App(id=app_id), expect=INVALID).status.details


def test_one_to_128_apps_a_call(client: Any) -> None:
    assert "1 to 128" in post(client, expect=INVALID).status.details
    post(client, *[App(id=f"a{i}") for i in range(129)], expect=INVALID)
    made = post(client, *[App(id=f"a{i}") for i in range(128)]).apps
    assert [a.id for a in made] == [f"a{i}" for i in range(128)]


def test_notes_have_a_limit_in_bytes(client: Any) -> None:
    post(client, App(id="a", notes="ä" * (handlers.MAX_NOTES // 2)))
    assert "notes" in post(client, App(id="b", notes="ä" * handlers.MAX_NOTES), expect=INVALID).status.details


def test_metadata_that_json_can_not_write_is_refused(client: Any) -> None:
    post(client, App(id="a", metadata=struct(x=float("nan"))), expect=INVALID)


def test_apps_can_not_be_added_for_somebody_else(client: Any) -> None:
    request = service_pb2.PostAppsRequest(user_app_id=UserAppIDSet(user_id="clarifai"), apps=[App(id="a")])
    assert "clarifai" in client.call("PostApps", request, expect=INVALID).status.details


def test_of_two_callers_who_post_the_same_id_one_is_told_that_it_is_taken(client: Any) -> None:
    codes: list[int] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        reply = client.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="race")]), expect=None)
        codes.append(reply.status.code)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [10000, DUPLICATE, DUPLICATE, DUPLICATE]


# --- reading --------------------------------------------------------------------------------------


def test_the_public_app_is_read_by_all_and_changed_by_none(client: Any) -> None:
    public = get(client, "main", user_id="clarifai").app
    assert (public.id, public.user_id, public.name) == ("main", "clarifai", "main")
    assert public.visibility.gettable == Visibility.PUBLIC
    named = UserAppIDSet(user_id="clarifai", app_id="main")
    change = App(id="main", description="ours now")
    patch(client, change, user_app_id=named, expect=ABSENT)
    request = service_pb2.PatchAppRequest(user_app_id=named, app=change, action="overwrite")
    client.call("PatchApp", request, expect=ABSENT)
    client.call("DeleteApp", service_pb2.DeleteAppRequest(user_app_id=named), expect=ABSENT)
    assert get(client, "main", user_id="clarifai").app == public
    assert listed(client, user_app_id=UserAppIDSet(user_id="clarifai")) == ["main"]


def test_an_app_that_is_not_there_does_not_exist(client: Any) -> None:
    assert get(client, "nope", expect=ABSENT).status.description == "Resource does not exist"
    assert "app_id" in get(client, "", expect=INVALID).status.details


def test_apps_are_listed_oldest_first_and_by_pages(client: Any) -> None:
    post(client, App(id="c"), App(id="b"), App(id="d"))
    assert listed(client) == ["app", "c", "b", "d"]
    assert listed(client, page=2, per_page=3) == ["d"]
    assert listed(client, page=1000, per_page=500) == []
    assert listed(client, page=2, per_page=2, sort_by_id=True, sort_ascending=True) == ["c", "d"]
    request = service_pb2.ListAppsRequest(per_page=1001)
    assert "1000" in client.call("ListApps", request, expect=INVALID).status.details


def test_apps_are_sorted_as_asked(client: Any) -> None:
    post(client, App(id="c", name="alpha"), App(id="b", name="Beta"))
    patch(client, App(id="c", description="changed last"))
    up = {"sort_ascending": True}
    assert listed(client, sort_by_id=True, **up) == ["app", "b", "c"]
    assert listed(client, sort_by_id=True) == ["c", "b", "app"]
    assert listed(client, sort_by_name=True, **up) == ["c", "app", "b"]
    assert listed(client, sort_by_created_at=True) == ["b", "c", "app"]
    assert listed(client, sort_by_modified_at=True) == ["c", "b", "app"]


def test_apps_are_filtered_as_asked(client: Any) -> None:
    post(
        client,
        App(id="dogs-2", name="Pets", description="what barks", is_template=BoolValue(value=True)),
        App(id="cats", name="Felines", notes="they satisfy nobody"),
        App(id="open", visibility=Visibility(gettable=Visibility.PUBLIC)),
    )
    assert listed(client, id="DOG*") == ["dogs-2"]
    assert listed(client, id="dog") == []
    assert listed(client, name="fel*") == ["cats"]
    assert listed(client, name="c*ts") == ["cats"]
    assert listed(client, name="c?ts") == []
    assert listed(client, search="bar") == ["dogs-2"]
    assert listed(client, search="what fel") == []
    assert listed(client, search="satis they") == ["cats"]
    assert listed(client, query="atisf") == ["cats"]
    assert listed(client, search="atisf") == []
    assert listed(client, template_only=True) == ["dogs-2"]
    assert listed(client, visibility=Visibility(gettable=Visibility.PUBLIC)) == ["open"]
    assert listed(client, starred_only=True) == []


def test_apps_are_sorted_by_relevance_to_a_search(client: Any) -> None:
    post(
        client,
        App(id="a", description="all about dogs"),
        App(id="my-dogs"),
        App(id="dogs"),
        App(id="dogsled", name="A sled"),
    )
    assert listed(client, search="dogs", sort_by_relevance=True) == ["dogs", "my-dogs", "dogsled", "a"]
    assert listed(client, search="dogs", sort_by_relevance=True, sort_ascending=True)[-1] == "dogs"
    client.call("ListApps", service_pb2.ListAppsRequest(sort_by_relevance=True), expect=INVALID)


def test_a_filtered_listing_is_paged_like_any_other(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Fewer at a time than there are apps.
    monkeypatch.setattr("labelwright.protocol.text_filters.BATCH", 2)
    post(client, *(App(id=f"a{n}", name=f"name {9 - n}") for n in range(5)))
    assert listed(client, name="name*") == ["a0", "a1", "a2", "a3", "a4"]
    assert listed(client, name="name*", page=2, per_page=2) == ["a2", "a3"]
    assert listed(client, name="name*", page=2, per_page=2, sort_by_name=True, sort_ascending=True) == ["a2", "a1"]
    assert listed(client, name="name*", page=4, per_page=2) == []


def searched(client: Any, name: str = "", **fields: Any) -> list[str]:
    query = resources_pb2.AppQuery(name=name)
    request = service_pb2.PostAppsSearchesRequest(app_query=query, **fields)
    return [a.id for a in client.call("PostAppsSearches", request).apps]


def test_apps_are_searched_by_name(client: Any) -> None:
    post(client, App(id="a", name="General things"), App(id="general-2", notes="generous"), App(id="c"))
    assert searched(client, "gen*") == ["a", "general-2"]
    assert searched(client, "General things") == ["a"]
    assert searched(client, "gen") == []
    assert searched(client) == ["app", "a", "general-2", "c"]
    assert searched(client, pagination=service_pb2.Pagination(page=2, per_page=3)) == ["c"]
    assert searched(client, "*", user_app_id=UserAppIDSet(user_id="clarifai")) == ["main"]
    assert searched(client, "*", user_app_id=UserAppIDSet(user_id="somebody")) == []
    too_many = service_pb2.PostAppsSearchesRequest(pagination=service_pb2.Pagination(per_page=1001))
    client.call("PostAppsSearches", too_many, expect=INVALID)


# --- changing -------------------------------------------------------------------------------------


def test_overwrite_replaces_what_is_set_and_leaves_the_rest(client: Any) -> None:
    before = post(
        client, App(id="a", name="A", description="old", image=Image(url="u", hosted=HostedURL(prefix="p")))
    ).apps[0]
    (after,) = patch(client, App(id="a", description="new", image=Image(url="v"))).apps
    assert (after.name, after.description) == ("A", "new")
    assert after.image == Image(url="v")
    assert after.created_at == before.created_at
    assert after.modified_at.ToMicroseconds() > before.modified_at.ToMicroseconds()
    assert get(client, "a").app == after


def test_several_apps_change_at_once_or_not_at_all(client: Any) -> None:
    post(client, App(id="a"), App(id="b"))
    changed = patch(client, App(id="b", name="B"), App(id="a", name="A")).apps
    assert [(a.id, a.name) for a in changed] == [("b", "B"), ("a", "A")]
    reply = patch(client, App(id="a", name="lost"), App(id="nope", name="lost"), expect=ABSENT)
    assert "'nope'" in reply.status.details
    patch(client, App(id="a", name="lost"), App(id="b", default_workflow_id="nope"), expect=ABSENT)
    assert get(client, "a").app.name == "A"


def test_the_same_app_twice_in_a_patch_is_refused(client: Any) -> None:
    assert "twice" in patch(client, App(id="app", name="x"), App(id="app", name="y"), expect=INVALID).status.details
    patch(client, expect=INVALID)


@pytest.mark.parametrize("action", ["", "merge", "delete", "Overwrite"])
def test_an_action_that_is_not_legal_is_refused(client: Any, action: str) -> None:
    reply = patch(client, App(id="app", name="x"), action=action, expect=INVALID)
    assert "'overwrite' and 'remove'" in reply.status.details


def test_remove_takes_the_image_alone(client: Any) -> None:
    post(client, App(id="a", name="A", description="d", image=Image(url="https://example.test/1.png")))
    wrong = App(id="a", image=Image(url="https://example.test/2.png"))
    assert "1.png" in patch(client, wrong, action="remove", expect=INVALID).status.details
    patch(client, App(id="a", description="d"), action="remove", expect=INVALID)
    patch(client, App(id="a", default_workflow_id="Empty"), action="remove", expect=INVALID)
    (after,) = patch(client, App(id="a", image=Image(url="https://example.test/1.png")), action="remove").apps
    assert not after.HasField("image")
    assert (after.name, after.description) == ("A", "d")
    patch(client, App(id="a", image=Image()), action="remove", expect=INVALID)


@pytest.mark.parametrize(
    ("action", "given", "expected"),
    [
        (PatchAction(), {"b": 9}, {"b": 9}),
        (PatchAction(op="overwrite"), {"b": 9}, {"b": 9}),
        (PatchAction(op="merge"), {"b": {"y": 9}, "n": 1}, {"a": 1, "b": {"x": [1], "y": 9}, "n": 1}),
        (PatchAction(op="merge", merge_conflict_resolution="do_nothing"), {"a": 9}, {"a": 1, "b": {"x": [1], "y": 2}}),
        (
            PatchAction(op="merge", merge_conflict_resolution="append"),
            {"a": 9, "b": {"x": [3]}},
            {"a": [1, 9], "b": {"x": [1, 3], "y": 2}},
        ),
        (PatchAction(op="remove"), {"a": 0, "b": {"y": 0}}, {"b": {"x": [1]}}),
        (PatchAction(op="delete"), {"b": {}, "zzz": 1}, {"a": 1}),
    ],
)
def test_metadata_changes_by_its_own_action(client: Any, action: PatchAction, given: Any, expected: Any) -> None:
    post(client, App(id="a", metadata=struct(a=1, b={"x": [1], "y": 2})))
    (after,) = patch(client, App(id="a", metadata=struct(**given)), metadata_action=action).apps
    assert after.metadata == struct(**expected)


def test_metadata_alone_needs_only_its_own_action(client: Any) -> None:
    change = App(id="app", metadata=struct(a=1))
    (after,) = patch(client, change, action="", metadata_action=PatchAction(op="merge")).apps
    assert after.metadata == struct(a=1)
    patch(client, change, action="", expect=INVALID)


@pytest.mark.parametrize(
    "action",
    [PatchAction(op="turn"), PatchAction(op="merge", path="a.b"), PatchAction(merge_conflict_resolution="merge_by_id")],
)
def test_a_metadata_action_that_is_not_legal_is_refused(client: Any, action: PatchAction) -> None:
    patch(client, App(id="app", metadata=struct(a=1)), metadata_action=action, expect=INVALID)


def test_one_app_changes_by_patch_app(client: Any) -> None:
    request = service_pb2.PatchAppRequest(app=App(name="By path"), action="overwrite")
    reply = client.call("PatchApp", request)
    assert (reply.app.id, reply.app.name) == ("app", "By path")
    post(client, App(id="b"))
    request = service_pb2.PatchAppRequest(app=App(id="b", name="By id"), action="overwrite")
    assert client.call("PatchApp", request).app.id == "b"
    assert get(client, "app").app.name == "By path"


def details(client: Any, *changes: App, expect: int = 10000, action: str = "overwrite") -> Any:
    request = service_pb2.PatchAppsDetailsRequest(apps=changes, action=action)
    return client.call("PatchAppsDetails", request, expect=expect)


def test_details_are_notes_description_and_image(client: Any) -> None:
    post(client, App(id="a", name="name", description="old", notes="kept"))
    logo = Image(url="https://example.test/logo.png")
    (app,) = details(client, App(id="a", description="new", image=logo)).apps
    assert (app.name, app.description, app.notes, app.image.url) == ("name", "new", "kept", logo.url)
    assert app == get(client, "a").app
    (app,) = details(client, App(id="a", image=logo), action="remove").apps
    assert not app.HasField("image")


@pytest.mark.parametrize(
    "change",
    [App(id="app", name="new"), App(id="app", metadata=struct(a=1)), App(id="app", default_workflow_id="General")],
)
def test_nothing_else_is_a_detail(client: Any, change: App) -> None:
    before = get(client, "app").app
    reply = details(client, App(id="app", notes="new"), expect=10000)
    assert reply.apps[0].notes == "new"
    refused = details(client, change, expect=INVALID)
    assert "PatchApps" in refused.status.details
    assert get(client, "app").app.name == before.name
    details(client, App(id="none", notes="new"), expect=ABSENT)
    details(client, App(id="app", notes="new"), action="merge", expect=INVALID)
    details(client, expect=INVALID)


def test_an_apps_own_workflow_comes_before_a_public_one(client: Any) -> None:
    before = revision(client)
    patch(client, App(id="app", default_workflow_id="General"))
    assert revision(client) == before + 1
    add_workflow(client, "app", "General")
    (after,) = patch(client, App(id="app", default_workflow_id="General")).apps
    assert after.default_workflow == Workflow(id="General", app_id="app", user_id=client.user_id)
    assert revision(client) == before + 2
    patch(client, App(id="app", default_workflow_id="General"))
    patch(client, App(id="app", name="no new workflow"))
    assert revision(client) == before + 2


def test_reindex_queues_a_run_where_the_default_workflow_changed(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[Any] = []
    monkeypatch.setattr(handlers, "_queue_reruns", lambda _conn, call, pks: queued.append((call.user_id, list(pks))))
    post(client, App(id="a", default_workflow_id="Empty"), App(id="b", default_workflow_id="General"))
    patch(client, App(id="a", name="same workflow"), reindex=True)
    patch(client, App(id="a", default_workflow_id="Empty"), reindex=True)
    patch(client, App(id="a", default_workflow_id="General"))
    assert queued == []
    patch(
        client,
        App(id="a", default_workflow_id="Universal"),
        App(id="b", default_workflow_id="General"),
        reindex=True,
    )
    with client.server.store.read() as conn:
        row = apps.get(conn, client.user_id, "a")
    assert row is not None
    assert queued == [(client.user_id, [row.pk])]


def test_a_queued_run_is_a_job(client: Any, server: Server) -> None:
    request = service_pb2.PatchAppRequest(app=App(default_workflow_id="General"), action="overwrite", reindex=True)
    client.call("PatchApp", request)
    with server.store.read() as conn:
        (job,) = conn.execute(select(jobs)).all()
    assert (job.kind, job.state) == ("rerun", "queued")
    assert job.params == {"workflow": "default", "missing": False, "user_id": client.user_id}


# --- deleting -------------------------------------------------------------------------------------


@pytest.fixture
def two_apps(client: Any) -> tuple[Any, int, int]:
    """App "app" whose workflow and concept app "b" uses; the keys of both."""
    workflow = add_workflow(client, "app", "mine")
    post(client, App(id="b", default_workflow=Workflow(id="mine", app_id="app")))
    store = client.server.store
    with store.write() as conn:
        one, two = (apps.get(conn, client.user_id, i) for i in ("app", "b"))
        assert one is not None
        assert two is not None
        assert two.default_workflow == workflow
        theirs = concepts.ensure(conn, one.pk, {"x": ""})["x"]
        ours = concepts.ensure(conn, two.pk, {"y": ""})["y"]
        relations.add(conn, two.pk, {"r": Edge(ours, "synonym", theirs, "")})
    return client, one.pk, two.pk


def test_delete_takes_all_that_is_in_the_app(two_apps: tuple[Any, int, int]) -> None:
    client, first, second = two_apps
    client.server.blobs.put(f"{first}/images/1", b"one")
    client.server.blobs.put(f"{second}/images/1", b"two")
    before = revision(client, "b")
    client.call("DeleteApp", service_pb2.DeleteAppRequest())
    assert get(client, "app", expect=ABSENT).status.code == ABSENT
    assert listed(client) == ["b"]
    assert not client.server.blobs.exists(f"{first}/images/1")
    assert client.server.blobs.exists(f"{second}/images/1")
    left = get(client, "b").app
    assert not left.HasField("default_workflow")
    assert left.default_workflow_id == ""
    assert revision(client, "b") > before
    with client.server.store.read() as conn:
        assert relations.snapshot(conn, second) == []


def test_an_app_of_that_id_can_be_made_anew_and_is_empty(client: Any) -> None:
    concept = service_pb2.PostConceptsRequest(concepts=[resources_pb2.Concept(id="old")])
    client.call("PostConcepts", concept)
    client.call("DeleteApp", service_pb2.DeleteAppRequest())
    post(client, App(id="app"))
    assert not client.call("ListConcepts", service_pb2.ListConceptsRequest()).concepts


def test_media_that_can_not_be_removed_do_not_keep_the_app(
    client: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labelwright.errors import StoreError

    def fail(_self: Any, prefix: str) -> None:
        raise StoreError(f"{prefix} can't be deleted")

    monkeypatch.setattr(type(server.blobs), "delete_prefix", fail)
    client.call("DeleteApp", service_pb2.DeleteAppRequest())
    get(client, "app", expect=ABSENT)
