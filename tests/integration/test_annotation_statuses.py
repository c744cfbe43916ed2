"""PatchAnnotationsStatus: many annotations at once."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2

from labelwright.protocol.resources import annotation_statuses as handlers
from labelwright.store import tables as t
from tests.integration.test_annotations import (
    DENIED,
    DOES_NOT_EXIST,
    INVALID,
    INVALID_REQUEST,
    PENDING,
    SUCCESS,
    add_inputs,
    by_model,
    get,
    listed,
    note,
    post,
    rejected,
    row,
    status,
    whole,
)

Client = Any
"""The class of the fixture `client`."""

PERMISSION_DENIED = 24156


def patch(client: Client, *, expect: int = 10000, code: int = SUCCESS, action: str = "overwrite", **which: Any) -> Any:
    request = service_pb2.PatchAnnotationsStatusRequest(action=action, status_code=code, **which)
    reply = client.call("PatchAnnotationsStatus", request, expect)
    return list(reply.user_ids), reply.updated_count


def codes(client: Client) -> dict[str, int]:
    return {a.id: a.status.code for a in listed(client, list_all_annotations=True)}


@pytest.fixture
def filled(client: Client) -> Client:
    """Three annotations of the caller, one of them of a task, and one of somebody else's."""
    add_inputs(client, "a")
    post(
        client,
        note(whole(("x", 1)), id="mine", status=status(PENDING)),
        note(whole(("y", 1)), id="done"),
        note(whole(("z", 1)), id="task", status=status(PENDING), task_id="t"),
        note(whole(("z", 1)), id="theirs", status=status(PENDING), user_id="somebody", task_id="t"),
    )
    return client


@pytest.mark.parametrize(
    ("which", "changed"),
    [
        ({"user_ids": ["me"]}, ["mine", "task"]),
        ({"user_ids": ["somebody"]}, ["theirs"]),
        ({"user_ids": ["me", "somebody", "nobody"]}, ["mine", "task", "theirs"]),
        ({"task_id": "t"}, ["task", "theirs"]),
        ({"task_id": "t", "user_ids": ["somebody"]}, ["theirs"]),
        ({"status_codes": [PENDING]}, ["mine", "task", "theirs"]),
        ({"status_codes": [SUCCESS]}, []),
        ({"user_ids": ["nobody"]}, []),
    ],
)
@pytest.mark.parametrize("at_once", [1, 1000])
def test_the_filters_narrow_each_other(
    filled: Client, monkeypatch: pytest.MonkeyPatch, which: dict[str, Any], changed: list[str], at_once: int
) -> None:
    monkeypatch.setattr(handlers, "AT_ONCE", at_once)
    before = codes(filled)
    users = {"theirs": "somebody"}
    expected = sorted({users.get(i, filled.user_id) for i in changed})
    assert patch(filled, **which) == (expected, len(changed))
    assert codes(filled) == {i: SUCCESS if i in changed else code for i, code in before.items()}
    # Again there is nothing left to do.
    assert patch(filled, **which) == ([], 0)


def test_what_is_not_legal(filled: Client) -> None:
    before = codes(filled)
    patch(filled, expect=INVALID_REQUEST)
    patch(filled, expect=INVALID_REQUEST, action="merge", user_ids=["me"])
    patch(filled, expect=INVALID, code=24152, user_ids=["me"])
    patch(filled, expect=INVALID, code=0, user_ids=["me"])
    patch(filled, expect=INVALID_REQUEST, user_ids=["x"] * 1001)
    assert codes(filled) == before


def test_a_models_annotation_is_confirmed_and_time_goes_on(client: Client) -> None:
    add_inputs(client, "a")
    (made,) = by_model(client, whole(("x", 0.75)))
    before = get(client, made)
    assert patch(client, status_codes=[PENDING]) == ([client.user_id], 1)
    after = row(client, made)
    assert (after.status_code, after.origin, after.touched) == (SUCCESS, t.CONFIRMED, True)
    assert after.modified_at > before.modified_at.ToMicroseconds()
    assert get(client, made).data == before.data
    assert rejected(client) == []


def test_denying_a_models_annotations_rejects_what_they_say(client: Client) -> None:
    add_inputs(client, "a")
    post(client, note(whole(("mine", 1)), id="p", status=status(PENDING)))
    by_model(client, whole(("x", 0.75), ("y", 0.5)), whole(("z", 0.5)))
    assert patch(client, code=DENIED, status_codes=[PENDING]) == ([client.user_id], 3)
    assert sorted(concept for _, concept, _, _ in rejected(client)) == ["x", "y", "z"]
    assert row(client, "p").origin == t.PERSON
    patch(client, code=DENIED, user_ids=["me"])
    assert len(rejected(client)) == 3


def test_another_apps_annotations_stay(filled: Client, guest: Client) -> None:
    request = service_pb2.PatchAnnotationsStatusRequest(
        user_app_id=guest.user_app_id, action="overwrite", status_code=SUCCESS, task_id="t"
    )
    before = codes(filled)
    guest.call("PatchAnnotationsStatus", request)
    filled.call("PatchAnnotationsStatus", request, DOES_NOT_EXIST)
    assert codes(filled) == before


# --- collaborators --------------------------------------------------------------------------------


@pytest.fixture
def guest(client: Client) -> Client:
    """Another user, with an app of the same id."""
    import dataclasses

    from clarifai_grpc.grpc.api.resources_pb2 import App, UserAppIDSet

    from labelwright.ids import new_id
    from labelwright.store import users

    user_id, token = f"guest-{new_id()[-8:]}", new_id()
    with client.server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    own = UserAppIDSet(user_id=user_id, app_id="app")
    made = dataclasses.replace(client, user_id=user_id, token=token, user_app_id=own)
    made.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="app")]))
    return made


@pytest.fixture
def let_in(filled: Client, guest: Client) -> Client:
    """The other user as a collaborator, whose calls go to the owner's app."""
    import dataclasses

    from sqlalchemy import insert, select

    from labelwright.ids import new_id

    with filled.server.store.write() as conn:
        app = conn.execute(select(t.apps.c.pk).where(t.apps.c.user_id == filled.user_id)).scalar_one()
        conn.execute(
            insert(t.collaborators).values(
                app=app, id=new_id(), user_id=guest.user_id, scopes=["All"], created_at=0, modified_at=0
            )
        )
    return dataclasses.replace(guest, user_app_id=filled.user_app_id)


def test_a_collaborator_changes_and_deletes_their_own_annotations_alone(filled: Client, let_in: Client) -> None:
    post(let_in, note(whole(("g", 1)), id="guests", status=status(PENDING)))
    before = codes(filled)
    patch(let_in, expect=PERMISSION_DENIED, task_id="t")
    patch(let_in, expect=PERMISSION_DENIED, user_ids=["me", "somebody"])
    one = service_pb2.DeleteAnnotationRequest(input_id="a", annotation_id="mine")
    let_in.call("DeleteAnnotation", one, PERMISSION_DENIED)
    every = service_pb2.DeleteAnnotationsRequest(input_ids=["a"])
    let_in.call("DeleteAnnotations", every, PERMISSION_DENIED)
    assert codes(filled) == before
    assert patch(let_in, user_ids=["me"]) == ([let_in.user_id], 1)
    assert codes(filled)["guests"] == SUCCESS
    let_in.call("DeleteAnnotation", service_pb2.DeleteAnnotationRequest(input_id="a", annotation_id="guests"))
    filled.call("DeleteAnnotations", every)
    assert codes(filled) == {}
