"""Keys: made, listed, changed, deleted; what they may do, until when, how often; and what they may give away."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, Concept, Key, UserAppIDSet
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from labelwright.protocol.auth import Authenticator
from labelwright.protocol.methods import methods
from labelwright.protocol.scopes import closed, exposed
from labelwright.store import users
from labelwright.store.engine import now
from tests.integration.some_people import PAT, Person, another, owner_of, place

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONN_INVALID_REQUEST
LACKING = status_code_pb2.CONN_INSUFFICIENT_SCOPES
NOT_FOUND = status_code_pb2.CONN_KEY_NOT_FOUND
EXPIRED = status_code_pb2.CONN_KEY_INVALID
BOUND = "app_specific_key"
HOUR = 3600


def in_hours(hours: float) -> Timestamp:
    return Timestamp(seconds=now() // 1_000_000 + int(hours * HOUR))


def listed(person: Person, **filters: Any) -> list[Any]:
    return list(person.call("ListKeys", service_pb2.ListKeysRequest(**filters)).keys)


def get(person: Person, key_id: str, expect: int = 10000) -> Any:
    return person.call("GetKey", service_pb2.GetKeyRequest(key_id=key_id), expect).key


def patch(person: Person, expect: int = 10000, action: str = "overwrite", **fields: Any) -> Any:
    reply = person.call("PatchKeys", service_pb2.PatchKeysRequest(keys=[Key(**fields)], action=action), expect)
    return reply.keys[0] if expect == 10000 else reply.status


def delete(person: Person, key_id: str, expect: int = 10000) -> None:
    person.call("DeleteKey", service_pb2.DeleteKeyRequest(key_id=key_id), expect)


def concepts(person: Person, expect: int = 10000, **named: str) -> Any:
    """A call that needs Apps_Get and Concepts_Get among others."""
    request = service_pb2.ListConceptsRequest()
    if named:
        request.user_app_id.CopyFrom(UserAppIDSet(**named))
    return person.call("ListConcepts", request, expect)


NEEDED = sorted(methods()["ListConcepts"].scopes)


# --- making and finding them ----------------------------------------------------------------------


def test_a_key_is_shown_once_and_only_its_hash_is_stored(client: Any) -> None:
    me = owner_of(client)
    made = me.post_key(description="my laptop", scopes=["All"])
    assert (made.type, made.description, list(made.scopes), list(made.apps)) == (PAT, "my laptop", ["All"], [])
    assert not made.HasField("expires_at")
    mine = Person(me.stub, me.user_id, made.id)
    assert concepts(mine, app_id="app").status.code == 10000
    first, second = listed(me)
    assert (second.description, second.created_at) == ("my laptop", made.created_at)
    assert second.id not in (made.id, first.id)
    assert concepts(Person(me.stub, me.user_id, second.id), NOT_FOUND, app_id="app")
    with client.server.store.read() as conn:
        row = users.key_named(conn, me.user_id, second.id)
    assert row is not None
    assert row.hash == users.token_hash(made.id)
    assert made.id not in repr(row)


def test_a_key_is_found_by_its_id_and_by_itself_and_shows_its_id(client: Any) -> None:
    me = owner_of(client)
    token = me.post_key(description="x").id
    shown = listed(me)[1]
    assert get(me, token) == get(me, shown.id) == shown
    assert patch(me, id=token, description="y").id == patch(me, id=shown.id, description="y").id == shown.id
    delete(me, token)
    get(me, shown.id, ABSENT)
    get(me, token, ABSENT)
    delete(me, token, ABSENT)


def test_keys_are_made_all_or_none(client: Any) -> None:
    me = owner_of(client)
    good, bad = Key(type=PAT, scopes=["All"]), Key(type=PAT, scopes=["Nothing"])
    status = me.call("PostKeys", service_pb2.PostKeysRequest(keys=[good, bad]), INVALID).status
    assert "Nothing" in status.details
    assert len(listed(me)) == 1
    two = me.call("PostKeys", service_pb2.PostKeysRequest(keys=[good, good])).keys
    assert len({k.id for k in two}) == 2
    assert len(listed(me)) == 3


@pytest.mark.parametrize(
    ("says", "fields"),
    [
        ("neither scopes nor endpoints", {"scopes": []}),
        ("Inputs_Get", {"scopes": ["Input_Get"]}),
        ("no endpoint", {"endpoints": ["Get"]}),
        ("type is", {"type": "session", "scopes": ["All"]}),
        ("leave them out", {"scopes": ["All"], "apps": [App(id="app")]}),
        ("exactly one", {"type": "", "scopes": ["All"]}),
        ("exactly one", {"type": BOUND, "scopes": ["All"], "apps": [App(id="app"), App(id="app")]}),
        ("only a personal", {"type": BOUND, "endpoints": ["PostApps"], "apps": [App(id="app")]}),
        ("app_id is empty", {"type": BOUND, "scopes": ["All"], "apps": [App()]}),
        ("passed already", {"scopes": ["All"], "expires_at": Timestamp(seconds=1)}),
        ("no time", {"scopes": ["All"], "expires_at": Timestamp(seconds=2**62)}),
        ("characters", {"scopes": ["All"], "description": "d" * 2000}),
        ("not served", {"scopes": ["All"], "organization_id": "org"}),
    ],
)
def test_what_can_not_be_a_key_is_refused(client: Any, says: str, fields: dict[str, Any]) -> None:
    me = owner_of(client)
    status = me.post_key(INVALID, **fields)
    assert says in status.details
    assert len(listed(me)) == 1


def test_a_call_makes_one_key_to_128(client: Any) -> None:
    for count in (0, 129):
        keys = [Key(type=PAT, scopes=["All"])] * count
        owner_of(client).call("PostKeys", service_pb2.PostKeysRequest(keys=keys), INVALID)
        owner_of(client).call("PatchKeys", service_pb2.PatchKeysRequest(keys=keys, action="overwrite"), INVALID)


def test_keys_are_filtered_and_come_in_pages(client: Any) -> None:
    me = owner_of(client)
    me.post_key(description="reads", scopes=["Inputs_Get"])
    me.post_key(description="adds", scopes=["inputs:add"], endpoints=["GetModel"])
    me.post_key(description="bound", type=BOUND, scopes=["Predict"], apps=[App(id="app")])
    gone = me.post_key(description="gone", scopes=["Inputs_Get"], expires_at=in_hours(1))
    patch(me, id=gone.id, expires_at=Timestamp(seconds=1))

    def found(**filters: Any) -> list[str]:
        return [k.description for k in listed(me, **filters)]

    assert found() == ["", "reads", "adds", "bound", "gone"]
    assert found(not_expired=True) == ["", "reads", "adds", "bound"]
    assert found(type=BOUND) == ["bound"]
    assert found(type=PAT, not_expired=True) == ["", "reads", "adds"]
    # A key for everything has every scope and may call every endpoint.
    assert found(scopes=["Inputs_Get"]) == ["", "reads", "adds", "gone"]
    assert found(scopes=["Inputs_Get", "Inputs:Add"]) == ["", "adds"]
    assert found(scopes=["All"]) == [""]
    assert found(endpoints=["/clarifai.api.V2/GetModel"]) == ["", "adds"]
    assert found(page=2, per_page=2) == ["adds", "bound"]
    assert found(page=2, per_page=2, scopes=["Inputs_Get"]) == ["adds", "gone"]
    assert found(page=9, per_page=2) == []
    for wrong in ({"type": "x"}, {"scopes": ["x"]}, {"endpoints": ["x"]}, {"per_page": 5000}):
        me.call("ListKeys", service_pb2.ListKeysRequest(**wrong), INVALID)


# --- keys that are bound to an app ----------------------------------------------------------------


def test_a_bound_key_needs_no_app_in_its_calls(client: Any) -> None:
    client.call("PostConcepts", service_pb2.PostConceptsRequest(concepts=[Concept(id="ours")]))
    me = owner_of(client)
    bound = me.bound()
    places: list[dict[str, Any]] = [{}, {"app_id": "app"}, {"user_id": me.user_id}, {"user_id": "me", "app_id": "app"}]
    for named in places:
        assert [c.id for c in concepts(bound, **named).concepts] == ["ours"], named
    me.call("PostApps", service_pb2.PostAppsRequest(apps=[App(id="second", default_workflow_id="Empty")]))
    concepts(me, app_id="second")
    concepts(bound, ABSENT, app_id="second")
    concepts(bound, ABSENT, user_id="somebody", app_id="app")
    concepts(bound, INVALID, user_id="somebody")
    assert {c.app_id for c in concepts(bound, user_id="clarifai", app_id="main").concepts} == {"main"}


def test_a_bound_key_shows_its_app_and_its_scopes(client: Any) -> None:
    me = owner_of(client)
    reply = me.bound(scopes=["Inputs:Add"], endpoints=["GetModel"]).call("MyScopes", service_pb2.MyScopesRequest())
    assert (reply.app.id, reply.app.user_id) == ("app", me.user_id)
    assert list(reply.scopes) == ["Inputs_Add", "Inputs_Get"]
    assert list(reply.endpoints) == ["/clarifai.api.V2/GetModel"]
    shown = [k for k in listed(me) if k.type == BOUND]
    assert [(a.id, a.user_id) for a in shown[0].apps] == [("app", me.user_id)]
    in_app = service_pb2.ListAppKeysRequest(user_app_id=place(client))
    assert list(me.call("ListAppKeys", in_app).keys) == shown
    in_app.page = 2
    assert not me.call("ListAppKeys", in_app).keys
    another(client).call("ListAppKeys", in_app, ABSENT)


def test_a_bound_key_can_not_call_what_needs_a_personal_one(client: Any) -> None:
    bound = owner_of(client).bound()
    for rpc in ("PostKeys", "ListKeys", "PostApps", "ListApps", "DeleteApp", "GetUser", "MyScopesUser", "ListScopes"):
        status = bound.call(rpc, methods()[rpc].request(), LACKING).status
        assert "personal access token" in status.details


def test_a_bound_key_ends_with_its_app(client: Any) -> None:
    me = owner_of(client)
    bound = me.bound()
    concepts(bound)
    me.call("DeleteApp", service_pb2.DeleteAppRequest(user_app_id=place(client)))
    concepts(bound, NOT_FOUND)
    assert [k.type for k in listed(me)] == [PAT]


@pytest.mark.parametrize("named", [App(id="none"), App(id="app", user_id="nobody"), App(id="main", user_id="clarifai")])
def test_no_key_is_bound_to_an_app_that_is_not_the_callers(client: Any, named: Any) -> None:
    assert owner_of(client).post_key(ABSENT, type=BOUND, scopes=["All"], apps=[named])
    assert another(client).post_key(ABSENT, type=BOUND, scopes=["All"], apps=[App(id="app", user_id=client.user_id)])


# --- scopes ---------------------------------------------------------------------------------------


def test_a_key_does_what_its_scopes_let_it(client: Any) -> None:
    me = owner_of(client)
    concepts(me.with_key(scopes=NEEDED), app_id="app")
    concepts(me.with_key(endpoints=["ListConcepts"]), app_id="app")
    short = me.with_key(scopes=["Inputs_Get"])
    status = concepts(short, LACKING, app_id="app").status
    assert status.description == "Insufficient scopes"
    assert all(s in status.details for s in NEEDED)
    assert "Inputs_Get" not in status.details
    # What is lacking is said before it is said whether there is such an app.
    concepts(short, LACKING, user_id="nobody", app_id="none")


def test_scopes_bring_what_they_need_however_they_are_written(client: Any) -> None:
    made = owner_of(client).post_key(scopes=["models:patch", "Search", "PREDICT"])
    assert set(made.scopes) == closed(["Models_Patch", "Search", "Predict"])
    assert owner_of(client).post_key(scopes=["all", "Predict"]).scopes == ["All"]


KEYS_SCOPES = ["Apps_Get", "Keys_Add", "Keys_Delete"]


def test_no_key_gives_away_what_it_lacks(client: Any) -> None:
    me = owner_of(client)
    maker = me.with_key(scopes=[*KEYS_SCOPES, "Inputs_Get"], endpoints=["GetModel"])
    for fields in (
        {"scopes": ["All"]},
        {"scopes": list(exposed())},
        {"scopes": ["Inputs_Add"]},
        {"scopes": ["Inputs_Get"], "endpoints": ["PostInputs"]},
        {"type": BOUND, "apps": [App(id="app")], "scopes": ["Predict"]},
    ):
        assert "can't give away" in maker.post_key(LACKING, **fields).details
    child = maker.post_key(scopes=["Inputs_Get", "Keys_Add", "Apps_Get"], endpoints=["ListKeys", "GetModel"])
    assert len(listed(me)) == 3
    # Nor in two steps.
    again = Person(me.stub, me.user_id, child.id)
    again.post_key(LACKING, scopes=["Keys_Delete"])
    assert len(again.post_key(scopes=["Inputs_Get"]).id) == 32


def test_no_key_widens_itself_or_another(client: Any) -> None:
    me = owner_of(client)
    narrow = me.with_key(scopes=[*KEYS_SCOPES, "Inputs_Get"])
    wide = me.post_key(scopes=["Predict", "Inputs_Get"])
    own = next(k for k in listed(me) if "Keys_Add" in k.scopes)
    for fields in ({"scopes": ["All"]}, {"scopes": [*own.scopes, "Inputs_Add"]}, {"endpoints": ["PostInputs"]}):
        assert "can't give away" in patch(narrow, LACKING, id=own.id, **fields).details
        patch(narrow, LACKING, id=wide.id, **fields)
    assert get(me, own.id) == own
    # What another key has may stay there, and be taken away.
    patch(narrow, id=wide.id, description="still wide", scopes=["Predict", "Inputs_Get", "Keys_Get"])
    assert list(patch(narrow, id=wide.id, scopes=["Inputs_Get"]).scopes) == ["Inputs_Get"]
    assert "Predict" in patch(narrow, LACKING, id=wide.id, scopes=["Predict"]).details


def test_my_scopes(client: Any) -> None:
    me = owner_of(client)
    some = me.with_key(scopes=["inputs:add"], endpoints=["GetModel"])
    for person, scopes, endpoints in (
        (me, ["All"], []),
        (some, ["Inputs_Add", "Inputs_Get"], ["/clarifai.api.V2/GetModel"]),
    ):
        for reply in (
            person.call("MyScopes", service_pb2.MyScopesRequest()),
            person.call("MyScopes", service_pb2.MyScopesRequest(user_app_id=place(client))),
            person.call("MyScopesUser", service_pb2.MyScopesUserRequest(user_app_id=UserAppIDSet(user_id="me"))),
            person.call("MyScopesRoot", service_pb2.MyScopesRootRequest()),
        ):
            assert (list(reply.scopes), list(reply.endpoints)) == (scopes, endpoints)
    assert not me.call("MyScopes", service_pb2.MyScopesRequest()).HasField("app")
    assert me.call("MyScopes", service_pb2.MyScopesRequest(user_app_id=place(client))).app.id == "app"
    stranger = another(client)
    stranger.call("MyScopes", service_pb2.MyScopesRequest(user_app_id=place(client)), ABSENT)
    theirs = service_pb2.MyScopesUserRequest(user_app_id=UserAppIDSet(user_id=me.user_id))
    stranger.call("MyScopesUser", theirs, ABSENT)


def test_the_scopes_that_there_are(client: Any) -> None:
    me = owner_of(client)
    personal = me.call("ListScopes", service_pb2.ListScopesRequest(key_type=PAT))
    bound = me.call("ListScopes", service_pb2.ListScopesRequest())
    assert [s.scope for s in personal.scope_deps] == list(exposed())
    assert {s.scope: list(s.depending_scopes) for s in bound.scope_deps}["Inputs_Delete"] == [
        "Inputs_Add",
        "Inputs_Get",
    ]
    endpoints = {e.endpoint: set(e.depending_scopes) for e in personal.endpoint_deps}
    assert set(endpoints) == {m.path for m in methods().values() if m.needs_key}
    assert endpoints["/clarifai.api.V2/ListConcepts"] == closed(NEEDED)
    assert "/clarifai.api.V2/PostKeys" not in {e.endpoint for e in bound.endpoint_deps}
    assert me.call("ListScopes", service_pb2.ListScopesRequest(key_type=BOUND)).scope_deps == bound.scope_deps
    me.call("ListScopes", service_pb2.ListScopesRequest(key_type="x"), INVALID)
    # Every one of them can be given to a key.
    assert set(me.post_key(scopes=[s.scope for s in personal.scope_deps if s.scope != "All"]).scopes) > {"Search"}


# --- until when -----------------------------------------------------------------------------------


def test_a_key_ends_and_stays_in_the_list(client: Any) -> None:
    me = owner_of(client)
    made = me.post_key(scopes=["All"], expires_at=in_hours(1))
    assert made.expires_at == get(me, made.id).expires_at
    mine = Person(me.stub, me.user_id, made.id)
    concepts(mine, app_id="app")
    ended = patch(me, id=made.id, expires_at=in_hours(-1))
    assert concepts(mine, EXPIRED, app_id="app").status.details == "the key has expired"
    assert get(me, made.id) == ended
    # An empty time is no end at all, and so a key comes back.
    assert not patch(me, id=made.id, expires_at=Timestamp()).HasField("expires_at")
    concepts(mine, app_id="app")
    assert not me.post_key(scopes=["All"], expires_at=Timestamp()).HasField("expires_at")


def test_no_key_makes_one_that_outlives_it(client: Any) -> None:
    me = owner_of(client)
    made = me.post_key(scopes=["All"], expires_at=in_hours(2))
    brief = Person(me.stub, me.user_id, made.id)
    assert "outlive" in brief.post_key(LACKING, scopes=["All"]).details
    brief.post_key(LACKING, scopes=["All"], expires_at=in_hours(3))
    patch(brief, LACKING, id=made.id, expires_at=in_hours(3))
    patch(brief, LACKING, id=made.id, expires_at=Timestamp())
    child = brief.post_key(scopes=["All"], expires_at=in_hours(1))
    assert patch(brief, id=child.id, expires_at=made.expires_at).expires_at == made.expires_at
    assert patch(me, id=child.id, expires_at=in_hours(9)).expires_at.seconds > made.expires_at.seconds


# --- changing and deleting them -------------------------------------------------------------------


def test_a_change_holds_at_once(client: Any) -> None:
    me = owner_of(client)
    made = me.post_key(description="d", scopes=["All"])
    mine = Person(me.stub, me.user_id, made.id)
    concepts(mine, app_id="app")
    changed = patch(mine, id=made.id, scopes=["Inputs_Get"])
    assert (list(changed.scopes), changed.description) == (["Inputs_Get"], "d")
    concepts(mine, LACKING, app_id="app")
    patch(mine, LACKING, id=made.id, scopes=["All"])
    patch(me, id=made.id, endpoints=["ListConcepts"])
    concepts(mine, app_id="app")
    assert list(get(me, made.id).scopes) == ["Inputs_Get"]
    delete(me, made.id)
    concepts(mine, NOT_FOUND, app_id="app")


def test_changes_that_make_no_sense_are_refused(client: Any) -> None:
    me = owner_of(client)
    made = me.post_key()
    for action in ("", "merge", "remove"):
        assert "overwrite" in patch(me, INVALID, action=action, id=made.id, description="x").details
    patch(me, INVALID, id=made.id, type=BOUND)
    patch(me, INVALID, id=made.id, apps=[App(id="app")])
    patch(me, INVALID, id=made.id, scopes=["x"])
    patch(me, INVALID, id=made.id, description="d" * 2000)
    bound = me.post_key(type=BOUND, scopes=["All"], apps=[App(id="app")])
    patch(me, INVALID, id=bound.id, apps=[App(id="second")])
    patch(me, INVALID, id=bound.id, endpoints=["PostApps"])
    assert patch(me, id=bound.id, apps=[App(id="app")], type=BOUND, description="same").description == "same"
    patch(me, ABSENT, id="", description="x")
    request = service_pb2.PatchKeysRequest(
        keys=[Key(id=made.id, description="changed"), Key(id="none")], action="overwrite"
    )
    me.call("PatchKeys", request, ABSENT)
    assert not get(me, made.id).description


def test_the_last_key_may_go_and_goes_at_once(client: Any) -> None:
    me = owner_of(client)
    delete(me, me.token)
    concepts(me, NOT_FOUND, app_id="app")
    with client.server.store.read() as conn:
        assert not users.has_keys(conn, me.user_id)


def test_what_a_look_up_found_before_a_change_is_not_remembered_after_it(client: Any) -> None:
    """A call that reads the key just before it is deleted must not bring it back for a second."""
    me = owner_of(client)
    made = me.post_key()
    auth = Authenticator(client.server.store)
    key_method = methods()["ListConcepts"]
    metadata = {"authorization": f"Key {made.id}"}
    read = users.find_key

    def slow(conn: Any, token: str) -> Any:
        row = read(conn, token)
        auth.forget()
        return row

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(users, "find_key", slow)
        assert auth.caller(key_method, metadata).user_id == me.user_id
    delete(me, made.id)
    with pytest.raises(Exception, match="nobody has this key"):
        auth.caller(key_method, metadata)


# --- walls ----------------------------------------------------------------------------------------


def test_nobody_sees_anothers_keys(client: Any) -> None:
    me, they = owner_of(client), another(client)
    token = me.post_key(description="mine").id
    before = listed(me)
    for name in (token, me.token, *(k.id for k in before), "0" * 32, ""):
        for user_id in ("", "me", me.user_id):
            at = UserAppIDSet(user_id=user_id)
            requests = {
                "GetKey": service_pb2.GetKeyRequest(user_app_id=at, key_id=name),
                "DeleteKey": service_pb2.DeleteKeyRequest(user_app_id=at, key_id=name),
                "PatchKeys": service_pb2.PatchKeysRequest(
                    user_app_id=at, keys=[Key(id=name, description="theirs")], action="overwrite"
                ),
            }
            for rpc, request in requests.items():
                details = they.call(rpc, request, ABSENT).status.details
                assert not name or name not in details
    assert [k.id for k in before] == [k.id for k in listed(me)]
    assert before == listed(me)
    for user_id in (me.user_id, "nobody", "clarifai"):
        at = UserAppIDSet(user_id=user_id)
        they.call("ListKeys", service_pb2.ListKeysRequest(user_app_id=at), ABSENT)
        key = Key(type=PAT, scopes=["All"])
        they.call("PostKeys", service_pb2.PostKeysRequest(user_app_id=at, keys=[key]), ABSENT)
    assert len(listed(they)) == 1


def test_a_user_sees_themselves_and_nobody_they_share_nothing_with(client: Any) -> None:
    me, they = owner_of(client), another(client)
    for user_id in ("", "me", me.user_id):
        user = me.call("GetUser", service_pb2.GetUserRequest(user_app_id=UserAppIDSet(user_id=user_id))).user
        assert user.id == me.user_id
        assert user.HasField("created_at")
    for user_id in (me.user_id, "nobody"):
        request = service_pb2.GetUserRequest(user_app_id=UserAppIDSet(user_id=user_id))
        status = they.call("GetUser", request, ABSENT).status
        assert status.details.replace(user_id, "X") == f"there is no user 'X' who shares an app with {they.user_id!r}"
    public = service_pb2.GetUserRequest(user_app_id=UserAppIDSet(user_id="clarifai"))
    assert they.call("GetUser", public).user.id == "clarifai"


# --- how often ------------------------------------------------------------------------------------


def test_each_key_has_a_rate_of_its_own(client: Any) -> None:
    me = owner_of(client)
    spare = me.with_key()
    at = [0.0]
    limited = Authenticator(client.server.store, 3, lambda: at[0])
    object.__setattr__(client.server, "auth", limited)
    for _ in range(3):
        concepts(me, app_id="app")
    status = concepts(me, status_code_pb2.CONN_THROTTLED, app_id="app").status
    assert (status.code, status.description) == (11005, "Making too many requests")
    assert "rate_limit" in status.details
    concepts(spare, app_id="app")
    # What needs no key is not counted.
    assert me.call("ListStatusCodes", service_pb2.ListStatusCodesRequest(), None).status.code == 10000
    at[0] += 20
    concepts(me, app_id="app")
    concepts(me, status_code_pb2.CONN_THROTTLED, app_id="app")
