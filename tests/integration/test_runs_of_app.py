"""The runs of an app as the pages see them: listed, and taken back a while at a time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import UserAppIDSet

from labelwright.annotator import undo as undoing
from labelwright.errors import DoesNotExist, InsufficientScopes, InvalidRequest
from labelwright.ids import new_id
from labelwright.protocol import runs_of_app
from labelwright.protocol.dispatch import Call, Server, call_of
from labelwright.store import apps, collaborators, runs, users
from tests.integration.test_commit import World, v1, v2, versions, world

__all__ = ["world"]

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LIST, UNDO = "ListAnnotations", "DeleteAnnotations"


def where(world: World) -> UserAppIDSet:
    return UserAppIDSet(user_id=world.app.user_id, app_id=world.app.id)


def call(server: Server, rpc: str, user_id: str = "somebody", scopes: Any = ("All",)) -> Call:
    """A call in a user's name, with a new key of these scopes."""
    token = new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token, scopes=list(scopes))
    return call_of(server, rpc, {"authorization": f"Key {token}"})


def shown(server: Server, world: World, **given: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = runs_of_app.runs(call(server, LIST), where(world), given)["runs"]
    return found


def undone(server: Server, world: World, run: str) -> list[dict[str, Any]]:
    """Take a run back as the page does; returns what each call said."""
    said = [runs_of_app.undo_run(call(server, UNDO), where(world), {"run": run})]
    while not said[-1]["done"]:
        said.append(runs_of_app.undo_run(call(server, UNDO), where(world), {"run": run}))
    return said


def test_runs_are_listed_newest_first_with_what_they_wrote(server: Server, world: World) -> None:
    versions(world)
    world.rerun()
    again, first = shown(server, world)
    assert (first["kind"], first["inputs"], first["wrote"], first["replaced"]) == ("ingest", 5, 5, 0)
    assert (first["state"], first["undone_at"]) == ("open", None)
    assert (again["kind"], again["inputs"], again["wrote"], again["replaced"]) == ("rerun", 5, 5, 5)
    assert (again["state"], again["workflow_version_id"], again["workflow_id"]) == ("ended", "v2", None)
    assert again["id"] == world.run_id()
    assert ISO.fullmatch(first["created_at"])
    assert "job" not in again


def test_a_rerun_under_way_says_how_far_it_is(server: Server, world: World) -> None:
    versions(world)
    world.rerun(turn=0)
    again = shown(server, world)[0]
    assert again["state"] == "running"
    assert 0 < again["job"]["done"] < again["job"]["total"] == 5


def test_runs_come_in_pages(server: Server, world: World) -> None:
    versions(world)
    for _ in range(3):
        world.rerun()
    caller, given = call(server, LIST), {"n": "2"}
    seen: list[list[str]] = []
    while True:
        reply = runs_of_app.runs(caller, where(world), given)
        seen.append([run["id"] for run in reply["runs"]])
        if reply["next"] is None:
            break
        given = {"n": "2", "before": reply["next"]}
    assert [len(ids) for ids in seen] == [2, 2]
    assert [run for page in seen for run in page] == [run["id"] for run in shown(server, world)]


@pytest.mark.parametrize(
    "given", [{"n": "0"}, {"n": "201"}, {"n": "x"}, {"n": ["1", "2"]}, {"before": "-1"}, {"m": ""}]
)
def test_a_listing_with_what_is_not_legal_says_so(server: Server, world: World, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="legal"):
        runs_of_app.runs(call(server, LIST), where(world), given)


def test_a_run_is_taken_back_step_by_step(server: Server, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    versions(world)
    before = world.labels()
    world.rerun()
    run = world.run_id()
    monkeypatch.setattr(undoing, "CHUNK", 2)
    monkeypatch.setattr(runs_of_app, "SECONDS", 0.0)
    first = runs_of_app.undo_run(call(server, UNDO), where(world), {"run": run})
    assert first == {"run": run, "dealt": 2, "removed": 2, "restored": 0, "left": 0, "done": False}
    half_way = shown(server, world)[0]
    assert half_way["state"] == "undoing"
    said = [first, *undone(server, world, run)]
    # Three steps remove 5 annotations two by two, three put 5 back, and a last call finds nothing more.
    assert [s["dealt"] for s in said] == [2, 2, 1, 2, 2, 1, 0]
    assert (sum(s["removed"] for s in said), sum(s["restored"] for s in said)) == (5, 5)
    assert world.labels() == before
    now = shown(server, world)[0]
    assert (now["state"], now["undone_at"]) == ("undone", half_way["undone_at"])


def test_a_short_undo_is_one_call_and_again_changes_nothing(server: Server, world: World) -> None:
    versions(world)
    world.rerun()
    world.person_confirms(world.pks[0])
    said = undone(server, world, world.run_id())
    assert [(s["removed"], s["restored"], s["left"], s["done"]) for s in said] == [(4, 5, 1, True)]
    labels = world.labels()
    (again,) = undone(server, world, world.run_id())
    assert (again["dealt"], again["removed"], again["restored"], again["left"]) == (0, 0, 0, 1)
    assert world.labels() == labels


def test_an_undo_ends_the_rerun_that_is_at_it(server: Server, world: World) -> None:
    versions(world)
    job_id = world.rerun(turn=0)
    assert undone(server, world, world.run_id())[-1]["done"]
    assert world.job(job_id).state == "failed"
    assert world.said() == v1(*world.pks)
    assert shown(server, world)[0]["state"] == "undone"


@pytest.mark.parametrize("given", [{}, {"run": ""}, {"run": 7}, {"run": ["x", "y"]}, {"run": "x", "all": True}])
def test_an_undo_without_a_run_says_what_is_missing(server: Server, world: World, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        runs_of_app.undo_run(call(server, UNDO), where(world), given)


def test_only_a_run_of_the_app_is_taken_back_and_by_its_whole_id(server: Server, world: World) -> None:
    versions(world)
    with server.store.write() as conn:
        app = apps.add(conn, user_id="somebody", id="other", wire=b"", default_workflow=None)
        other = runs.add(conn, app, runs.RERUN, "v1").id
    for run in (other, world.run_id(runs.INGEST)[:8], "nonsense"):
        with pytest.raises(DoesNotExist, match="has no run"):
            runs_of_app.undo_run(call(server, UNDO), where(world), {"run": run})
    assert world.said() == v1(*world.pks)
    assert {run["id"] for run in shown(server, world)} == {world.run_id(runs.INGEST)}


def test_another_user_sees_no_run(server: Server, world: World) -> None:
    versions(world)
    run = world.run_id(runs.INGEST)
    with pytest.raises(DoesNotExist, match="no app"):
        runs_of_app.runs(call(server, LIST, "stranger"), where(world), {})
    with pytest.raises(DoesNotExist, match="no app"):
        runs_of_app.undo_run(call(server, UNDO, "stranger"), where(world), {"run": run})
    assert world.said() == v1(*world.pks)


READ = ("Annotations_Get", "Apps_Get", "Concepts_Get", "Inputs_Get", "Models_Get", "Workflows_Get")
WRITE = (*READ, "Annotations_Add")
ALL = (*WRITE, "Annotations_Delete")


@pytest.mark.parametrize("scopes", [READ, WRITE, tuple(s for s in ALL if s != "Concepts_Get"), ALL], ids=len)
def test_a_collaborator_takes_back_what_the_scopes_allow(server: Server, world: World, scopes: tuple[str, ...]) -> None:
    versions(world)
    world.rerun()
    given = {"run": world.run_id()}
    caller, reader = call(server, UNDO, "guest"), call(server, LIST, "guest")
    with server.store.write() as conn:
        collaborators.add(conn, world.app.pk, [{"user_id": "guest", "scopes": list(scopes), "endpoints": []}])
    if scopes == ALL:
        assert runs_of_app.undo_run(caller, where(world), given)["done"]
        assert world.said() == v1(*world.pks)
        return
    with pytest.raises(InsufficientScopes):
        runs_of_app.undo_run(caller, where(world), given)
    assert world.said() == v2(*world.pks)
    if "Concepts_Get" in scopes:
        assert len(runs_of_app.runs(reader, where(world), {})["runs"]) == 2
