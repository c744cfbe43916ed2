"""PatchAppsIds: an app by another name is the same app."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, Concept, Data, Input, Text, UserAppIDSet

from labelwright.store import apps, concepts, relations
from labelwright.store.relations import Edge
from tests.integration.test_apps import ABSENT, DUPLICATE, INVALID, get, listed, post, revision

Client = Any
"""The class of the fixture `client`."""


def rename(
    client: Client, *pairs: tuple[str, str], expect: int = 10000, action: str = "overwrite", **fields: Any
) -> Any:
    ids = [service_pb2.IdUpdateSource(id=old, new_id=new) for old, new in pairs]
    request = service_pb2.PatchAppsIdsRequest(ids=ids, action=action, **fields)
    return client.call("PatchAppsIds", request, expect=expect)


def test_all_that_is_in_the_app_goes_along(client: Client) -> None:
    item = Input(id="i", data=Data(text=Text(raw="words"), concepts=[Concept(id="c", value=1)]))
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[item]))
    before = get(client, "app").app
    (app,) = rename(client, ("app", "other.name")).apps
    assert (app.id, app.user_id, app.created_at) == ("other.name", client.user_id, before.created_at)
    assert app.modified_at.ToMicroseconds() > before.modified_at.ToMicroseconds()
    assert app == get(client, "other.name").app
    get(client, "app", expect=ABSENT)
    renamed = UserAppIDSet(user_id="me", app_id="other.name")
    found = client.call("GetInput", service_pb2.GetInputRequest(user_app_id=renamed, input_id="i")).input
    assert [(c.id, c.app_id) for c in found.data.concepts] == [("c", "other.name")]
    # The id is free again.
    post(client, App(id="app"))
    assert listed(client) == ["other.name", "app"]
    assert rename(client, ("", "third"), user_app_id=UserAppIDSet(user_id="me", app_id="app")).apps[0].id == "third"


def test_what_is_not_legal(client: Client) -> None:
    post(client, App(id="a"), App(id="b"))
    taken = rename(client, ("a", "b"), expect=DUPLICATE)
    assert "duplicate" in taken.status.details
    rename(client, ("a", "a"), expect=DUPLICATE)
    rename(client, ("none", "c"), expect=ABSENT)
    rename(client, ("a", ""), expect=INVALID)
    rename(client, ("a", "no spaces"), expect=INVALID)
    rename(client, ("a", "c"), expect=INVALID, action="merge")
    rename(client, expect=INVALID)
    rename(client, ("a", "c"), ("b", "d"), expect=INVALID)
    assert listed(client) == ["app", "a", "b"]


@pytest.mark.parametrize("owner", ["clarifai", "somebody"])
def test_another_users_app_is_as_good_as_absent(client: Client, owner: str) -> None:
    rename(client, ("main", "mine"), expect=ABSENT, user_app_id=UserAppIDSet(user_id=owner))
    assert get(client, "main", user_id="clarifai").app.id == "main"


def test_workers_take_a_new_copy_of_whoever_names_the_app(client: Client) -> None:
    post(client, App(id="a"), App(id="alone"))
    with client.server.store.write() as conn:
        near, far = apps.get(conn, client.user_id, "app"), apps.get(conn, client.user_id, "a")
        assert near is not None
        assert far is not None
        subject = concepts.ensure(conn, near.pk, {"x": "x"})["x"]
        object_ = concepts.ensure(conn, far.pk, {"y": "y"})["y"]
        relations.add(conn, near.pk, {"r": Edge(subject, "synonym", object_, "")})
    before = {i: revision(client, i) for i in ("app", "alone")}
    old = revision(client, "a")
    rename(client, ("a", "b"))
    assert revision(client, "b") > old
    assert revision(client, "app") > before["app"]
    assert revision(client, "alone") == before["alone"]
