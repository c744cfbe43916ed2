"""Collaborators: whom an app is shared with, what they may do there, and what stays the owner's."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api import resources_pb2, service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import (
    Annotation,
    App,
    Collaborator,
    Concept,
    Data,
    Input,
    Model,
    Text,
    User,
    UserAppIDSet,
    Workflow,
    WorkflowNode,
)
from clarifai_grpc.grpc.api.status import status_code_pb2
from google.protobuf.struct_pb2 import Struct

from labelwright.annotator.worker import Annotator
from labelwright.protocol.methods import methods
from labelwright.protocol.scopes import closed
from labelwright.store import apps
from tests.integration.some_people import Person, another, owner_of, place, share

ABSENT = status_code_pb2.CONN_DOES_NOT_EXIST
INVALID = status_code_pb2.CONN_INVALID_REQUEST
LACKING = status_code_pb2.CONN_INSUFFICIENT_SCOPES
DENIED = status_code_pb2.ANNOTATION_PERMISSION_DENIED
READ = sorted(methods()["ListConcepts"].scopes)
MANAGE = ["Apps_Get", "Collaborators_Delete"]
"""What one needs to let others in and out: deleting brings adding and reading along."""


def concepts(client: Any, person: Person, expect: int = 10000) -> Any:
    return person.call("ListConcepts", service_pb2.ListConceptsRequest(user_app_id=place(client)), expect)


def add_concept(client: Any, person: Person, name: str, expect: int = 10000) -> None:
    request = service_pb2.PostConceptsRequest(user_app_id=place(client), concepts=[Concept(id=name)])
    person.call("PostConcepts", request, expect)


def listed(client: Any, person: Person | None = None, expect: int = 10000, **page: Any) -> Any:
    request = service_pb2.ListCollaboratorsRequest(user_app_id=place(client), **page)
    return (person or owner_of(client)).call("ListCollaborators", request, expect)


def post(client: Any, person: Person, *given: Collaborator, expect: int = 10000) -> Any:
    request = service_pb2.PostCollaboratorsRequest(user_app_id=place(client), collaborators=given)
    return person.call("PostCollaborators", request, expect)


def patch(client: Any, person: Person, expect: int = 10000, action: str = "overwrite", **fields: Any) -> Any:
    given = [Collaborator(**fields)]
    request = service_pb2.PatchCollaboratorsRequest(user_app_id=place(client), collaborators=given, action=action)
    return person.call("PatchCollaborators", request, expect)


def delete(client: Any, person: Person, *ids: str, expect: int = 10000, emails: Any = ()) -> None:
    request = service_pb2.DeleteCollaboratorsRequest(
        user_app_id=place(client), collaborator_ids=ids, user_emails=emails
    )
    person.call("DeleteCollaborators", request, expect)


def collaborations(person: Person, expect: int = 10000, **filters: Any) -> Any:
    return person.call("ListCollaborations", service_pb2.ListCollaborationsRequest(**filters), expect)


def revision(client: Any) -> int:
    with client.server.store.read() as conn:
        row = apps.get(conn, client.user_id, "app")
    assert row is not None
    return int(row.revision)


# --- letting in and out ---------------------------------------------------------------------------


def test_a_collaborator_does_what_the_owner_lets_them(client: Any) -> None:
    guest = another(client)
    concepts(client, guest, ABSENT)
    before = revision(client)
    made = share(client, guest, *READ)
    assert revision(client) > before
    assert (made.user.id, made.app.id, made.app.user_id) == (guest.user_id, "app", client.user_id)
    assert set(made.scopes) == closed(READ)
    assert made.created_at == made.modified_at
    concepts(client, guest)
    add_concept(client, guest, "theirs", LACKING)
    patched = patch(client, owner_of(client), id=made.id, scopes=["All"]).collaborators[0]
    assert list(patched.scopes) == ["All"]
    add_concept(client, guest, "theirs")
    patch(client, owner_of(client), user=User(id=guest.user_id), scopes=["Inputs_Get"], endpoints=["ListConcepts"])
    concepts(client, guest)
    add_concept(client, guest, "more", LACKING)
    before = revision(client)
    delete(client, owner_of(client), made.id)
    assert revision(client) > before
    concepts(client, guest, ABSENT)
    assert not listed(client).collaborators
    delete(client, owner_of(client), made.id, expect=ABSENT)


def test_a_collaborators_key_still_needs_the_scopes_itself(client: Any) -> None:
    guest = another(client)
    share(client, guest, "All")
    narrow = guest.with_key(scopes=["Apps_Get", "Concepts_Get", "Models_Get"])
    concepts(client, narrow)
    add_concept(client, narrow, "c", LACKING)
    mine = service_pb2.MyScopesRequest(user_app_id=place(client))
    assert set(narrow.call("MyScopes", mine).scopes) == {"Apps_Get", "Concepts_Get", "Models_Get"}


def test_my_scopes_in_an_app_are_no_more_than_the_owner_gave(client: Any) -> None:
    guest = another(client)
    share(client, guest, "Inputs_Get", endpoints=["GetModel"])
    reply = guest.call("MyScopes", service_pb2.MyScopesRequest(user_app_id=place(client)))
    assert (list(reply.scopes), list(reply.endpoints)) == (["Inputs_Get"], ["/clarifai.api.V2/GetModel"])
    assert (reply.app.id, reply.app.user_id) == ("app", client.user_id)


def test_a_key_bound_to_an_app_of_another_ends_with_the_collaboration(client: Any) -> None:
    guest = another(client)
    made = share(client, guest, "All")
    bound = guest.bound(owner=client.user_id)
    for named in (UserAppIDSet(), UserAppIDSet(app_id="app"), place(client)):
        bound.call("ListConcepts", service_pb2.ListConceptsRequest(user_app_id=named))
    patch(client, owner_of(client), id=made.id, scopes=["Inputs_Get"])
    bound.call("ListConcepts", service_pb2.ListConceptsRequest(), LACKING)
    delete(client, owner_of(client), made.id)
    bound.call("ListConcepts", service_pb2.ListConceptsRequest(), ABSENT)
    # The key is the guest's: the app's owner sees none of it.
    assert len(owner_of(client).call("ListKeys", service_pb2.ListKeysRequest()).keys) == 1
    in_app = service_pb2.ListAppKeysRequest(user_app_id=place(client))
    assert not owner_of(client).call("ListAppKeys", in_app).keys


def test_collaborators_are_listed_oldest_first(client: Any) -> None:
    guests = [another(client, f"guest{i}") for i in range(3)]
    for guest in guests:
        share(client, guest, "Apps_Get", "Collaborators_Get")
    reply = listed(client)
    assert [c.user.id for c in reply.collaborators] == [g.user_id for g in guests]
    assert reply.app_owner.id == client.user_id
    assert not any(c.user.HasField("created_at") or c.user.HasField("user_detail") for c in reply.collaborators)
    assert [c.user.id for c in listed(client, guests[0], page=2, per_page=2).collaborators] == [guests[2].user_id]
    listed(client, another(client), ABSENT)
    share(client, stranger := another(client), "Apps_Get")
    listed(client, stranger, LACKING)


@pytest.mark.parametrize(
    ("says", "code", "given"),
    [
        ("no user.id", INVALID, Collaborator(scopes=["All"])),
        ("e-mail", INVALID, Collaborator(user=User(primary_email="a@b.c"), scopes=["All"])),
        ("labelwright users add", ABSENT, Collaborator(user=User(id="nobody"), scopes=["All"])),
        ("can't be its collaborator", INVALID, Collaborator(user=User(id="OWNER"), scopes=["All"])),
        ("can't be its collaborator", INVALID, Collaborator(user=User(id="clarifai"), scopes=["All"])),
        ("neither scopes", INVALID, Collaborator(user=User(id="GUEST"))),
        ("no scope 'Some'", INVALID, Collaborator(user=User(id="GUEST"), scopes=["Some"])),
        ("another app", INVALID, Collaborator(user=User(id="GUEST"), scopes=["All"], app=App(id="other"))),
    ],
)
def test_who_can_not_be_let_in(client: Any, says: str, code: int, given: Any) -> None:
    # The cases are shared by the tests of both databases.
    given = Collaborator.FromString(given.SerializeToString())
    guest = another(client)
    given.user.id = {"OWNER": client.user_id, "GUEST": guest.user_id}.get(given.user.id, given.user.id)
    good = Collaborator(user=User(id=another(client).user_id), scopes=["All"])
    assert says in post(client, owner_of(client), good, given, expect=code).status.details
    assert not listed(client).collaborators


def test_nobody_is_let_in_twice(client: Any) -> None:
    guest = another(client)
    one = Collaborator(user=User(id=guest.user_id), scopes=["All"])
    duplicate = status_code_pb2.DATABASE_DUPLICATE_KEY
    assert "duplicate" in post(client, owner_of(client), one, one, expect=duplicate).status.details
    post(client, owner_of(client), one)
    assert guest.user_id in post(client, owner_of(client), one, expect=duplicate).status.details


def test_changes_that_make_no_sense_are_refused(client: Any) -> None:
    me, guest = owner_of(client), another(client)
    made = share(client, guest, "Inputs_Get")
    for action in ("", "merge", "remove"):
        patch(client, me, INVALID, action=action, id=made.id, scopes=["All"])
    patch(client, me, INVALID, id=made.id, scopes=["x"])
    patch(client, me, ABSENT, id="none", scopes=["All"])
    patch(client, me, ABSENT, scopes=["All"])
    patch(client, me, ABSENT, id=made.id, user=User(id=me.user_id), scopes=["All"])
    delete(client, me, expect=INVALID)
    delete(client, me, made.id, emails=["a@b.c"], expect=INVALID)
    delete(client, me, made.id, "none", expect=ABSENT)
    me.call("PatchCollaborators", service_pb2.PatchCollaboratorsRequest(user_app_id=place(client)), INVALID)
    me.call("PostCollaborators", service_pb2.PostCollaboratorsRequest(user_app_id=place(client)), INVALID)
    assert list(listed(client).collaborators) == [made]


def test_a_collaborator_gives_away_no_more_than_they_have(client: Any) -> None:
    manager, friend = another(client, "manager"), another(client, "friend")
    own = share(client, manager, *MANAGE, "Inputs_Add")
    given = Collaborator(user=User(id=friend.user_id), scopes=["All"])
    assert "can't give away" in post(client, manager, given, expect=LACKING).status.details
    patch(client, manager, LACKING, id=own.id, scopes=["All"])
    patch(client, manager, LACKING, id=own.id, endpoints=["PostConcepts"])
    given = Collaborator(user=User(id=friend.user_id), scopes=["Inputs_Add"])
    theirs = post(client, manager, given).collaborators[0]
    patch(client, manager, LACKING, id=theirs.id, scopes=["Concepts_Add"])
    # Nor by a key that may less than they.
    weak = manager.with_key(scopes=MANAGE)
    patch(client, weak, LACKING, id=theirs.id, scopes=["Inputs_Add", "Predict"])
    delete(client, weak, theirs.id)
    # The owner's own key, cut down, gives no more than itself either.
    cut = owner_of(client).with_key(scopes=[*MANAGE, "Predict"])
    post(client, cut, given, expect=LACKING)
    post(client, cut, Collaborator(user=User(id=friend.user_id), scopes=["Predict"]))


def test_a_key_of_one_app_manages_its_collaborators(client: Any) -> None:
    guest = another(client)
    bound = owner_of(client).bound()
    given = Collaborator(user=User(id=guest.user_id), scopes=["Apps_Get"])
    made = bound.call("PostCollaborators", service_pb2.PostCollaboratorsRequest(collaborators=[given])).collaborators
    assert made[0].user.id == guest.user_id


# --- apps of others -------------------------------------------------------------------------------


def test_collaborations_are_the_apps_of_others(client: Any) -> None:
    me, guest = owner_of(client), another(client)
    template = App(id="template", default_workflow_id="Empty")
    template.is_template.value = True
    me.call("PostApps", service_pb2.PostAppsRequest(apps=[template]))
    assert not collaborations(guest).collaborations
    share(client, guest, "Apps_Get", "Workflows_Get", endpoints=["GetModel"])
    there = UserAppIDSet(user_id=me.user_id, app_id="template")
    second = Collaborator(user=User(id=guest.user_id), scopes=["Inputs_Get"])
    me.call("PostCollaborators", service_pb2.PostCollaboratorsRequest(user_app_id=there, collaborators=[second]))
    first, other = collaborations(guest).collaborations
    assert (first.app.id, first.app.user_id, first.app_owner.id) == ("app", me.user_id, me.user_id)
    assert set(first.scopes) == {"Apps_Get", "Workflows_Get"}
    assert list(first.endpoints) == ["/clarifai.api.V2/GetModel"]
    assert other.app.id == "template"
    assert [c.app.id for c in collaborations(guest, template_only=True).collaborations] == ["template"]
    assert [c.app.id for c in collaborations(guest, page=2, per_page=1).collaborations] == ["template"]
    collaborations(guest, ABSENT, user_app_id=UserAppIDSet(user_id=me.user_id))
    assert not collaborations(me).collaborations
    # In the owner's list a guest sees what they may list; in their own there is nothing of others.
    theirs = service_pb2.ListAppsRequest(user_app_id=UserAppIDSet(user_id=me.user_id))
    assert [a.id for a in guest.call("ListApps", theirs).apps] == ["app"]
    theirs.query = "app"
    assert [a.id for a in guest.call("ListApps", theirs).apps] == ["app"]
    assert not another(client).call("ListApps", theirs).apps
    assert not guest.call("ListApps", service_pb2.ListAppsRequest()).apps


def test_people_who_share_an_app_see_each_others_names(client: Any) -> None:
    one, other = another(client, "one"), another(client, "other")

    def sees(person: Person, whom: str, expect: int = 10000) -> Any:
        request = service_pb2.GetUserRequest(user_app_id=UserAppIDSet(user_id=whom))
        return person.call("GetUser", request, expect).user

    share(client, one, "Inputs_Get")
    assert sees(one, client.user_id).id == client.user_id
    assert not sees(one, client.user_id).HasField("created_at")
    assert sees(owner_of(client), one.user_id).id == one.user_id
    sees(one, other.user_id, ABSENT)
    share(client, other, "Inputs_Get")
    assert sees(one, other.user_id).id == other.user_id
    sees(another(client), one.user_id, ABSENT)


def test_the_owner_alone_deletes_the_app(client: Any) -> None:
    guest = another(client)
    share(client, guest, "All")
    status = guest.call("DeleteApp", service_pb2.DeleteAppRequest(user_app_id=place(client)), LACKING).status
    assert client.user_id in status.details
    at = UserAppIDSet(user_id=client.user_id)
    posted = service_pb2.PostAppsRequest(user_app_id=at, apps=[App(id="more", default_workflow_id="Empty")])
    guest.call("PostApps", posted, INVALID)
    owner_of(client).call("DeleteApp", service_pb2.DeleteAppRequest(user_app_id=place(client)))
    assert not collaborations(guest).collaborations


def test_a_collaborator_with_the_scope_changes_the_app(client: Any) -> None:
    guest = another(client)
    request = service_pb2.PatchAppsRequest(
        user_app_id=UserAppIDSet(user_id=client.user_id), apps=[App(id="app", name="ours")], action="overwrite"
    )
    absent = service_pb2.PatchAppsRequest()
    absent.CopyFrom(request)
    absent.apps[0].id = "none"
    details = [
        guest.call("PatchApps", r, ABSENT).status.details.replace(repr(r.apps[0].id), "X") for r in (request, absent)
    ]
    assert details[0] == details[1]
    made = share(client, guest, "Apps_Get")
    guest.call("PatchApps", request, LACKING)
    patch(client, owner_of(client), id=made.id, scopes=["All"])
    assert guest.call("PatchApps", request).apps[0].name == "ours"
    # The app's own workflows are found there, without and with its name.
    nodes = [WorkflowNode(id="n", model=Model(id="face-detection"))]
    workflow = service_pb2.PostWorkflowsRequest(user_app_id=place(client), workflows=[Workflow(id="w", nodes=nodes)])
    guest.call("PostWorkflows", workflow)
    for base in (
        Workflow(id="w"),
        Workflow(id="w", app_id="app"),
        Workflow(id="w", app_id="app", user_id=client.user_id),
    ):
        request.apps[0].default_workflow.CopyFrom(base)
        shown = guest.call("PatchApps", request).apps[0].default_workflow
        assert (shown.id, shown.app_id, shown.user_id) == ("w", "app", client.user_id)
    request.apps[0].id, request.user_app_id.user_id = "main", "clarifai"
    request.apps[0].ClearField("default_workflow")
    guest.call("PatchApps", request, ABSENT)


# --- annotations ----------------------------------------------------------------------------------


def annotate(client: Any, person: Person, expect: int = 10000, **fields: Any) -> Any:
    note = Annotation(input_id="i", data=Data(concepts=[Concept(id="c", value=1)]), **fields)
    request = service_pb2.PostAnnotationsRequest(user_app_id=place(client), annotations=[note])
    return person.call("PostAnnotations", request, expect).annotations[0]


def test_a_collaborator_writes_and_changes_annotations_of_their_own_alone(client: Any) -> None:
    me, guest, third = owner_of(client), another(client), another(client, "third")
    for person in (guest, third):
        share(client, person, "All")
    client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[Input(id="i", data=Data(text=Text(raw="t")))]))
    notes = {p.user_id: annotate(client, p) for p in (me, guest, third)}
    assert {user_id: n.user_id for user_id, n in notes.items()} == {u: u for u in notes}
    assert annotate(client, guest, user_id="me").user_id == guest.user_id
    for other in (me, third):
        annotate(client, guest, DENIED, user_id=other.user_id)
    assert annotate(client, me, user_id=guest.user_id).user_id == guest.user_id

    def change(person: Person, whose: str, expect: int) -> None:
        patched = Annotation(id=notes[whose].id, input_id="i", status=resources_pb2.Annotation().status)
        patched.status.code = 24151
        request = service_pb2.PatchAnnotationsRequest(user_app_id=place(client), annotations=[patched], action="merge")
        person.call("PatchAnnotations", request, expect)

    def remove(person: Person, whose: str, expect: int) -> None:
        one = service_pb2.DeleteAnnotationRequest(
            user_app_id=place(client), input_id="i", annotation_id=notes[whose].id
        )
        person.call("DeleteAnnotation", one, expect)

    for other in (me, third):
        change(guest, other.user_id, DENIED)
        remove(guest, other.user_id, DENIED)
    everything = service_pb2.DeleteAnnotationsRequest(user_app_id=place(client), input_ids=["i"])
    guest.call("DeleteAnnotations", everything, DENIED)
    change(guest, guest.user_id, 10000)
    change(me, third.user_id, 10000)
    remove(guest, guest.user_id, 10000)
    remove(me, third.user_id, 10000)


# --- writers --------------------------------------------------------------------------------------


def params(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made


def writer(name: str) -> service_pb2.PostModelsRequest:
    info = resources_pb2.OutputInfo(params=params(annotation_status=24150, annotation_user_id=name))
    return service_pb2.PostModelsRequest(models=[Model(id="w", model_type_id="annotation-writer", output_info=info)])


def test_a_writer_writes_in_a_collaborators_name_until_they_are_shown_out(client: Any) -> None:
    guest = another(client)
    client.call("PostModels", writer(guest.user_id), status_code_pb2.MODEL_INVALID_ARGUMENT)
    made = share(client, guest, "Apps_Get")
    client.call("PostModels", writer(guest.user_id))
    flow = Workflow(id="flow", nodes=[WorkflowNode(id="write", model=Model(id="w"))])
    client.call("PostWorkflows", service_pb2.PostWorkflowsRequest(workflows=[flow]))
    base = [App(id="app", default_workflow_id="flow")]
    client.call("PatchApps", service_pb2.PatchAppsRequest(apps=base, action="overwrite"))
    annotator = Annotator(client.server.settings, client.server.store, client.server.blobs)

    def add(input_id: str) -> Any:
        one = Input(id=input_id, data=Data(text=Text(raw="t")))
        client.call("PostInputs", service_pb2.PostInputsRequest(inputs=[one]))
        assert annotator.step() == 1
        return client.call("GetInput", service_pb2.GetInputRequest(input_id=input_id)).input.status

    assert add("before").code == 30000
    wrote = client.call("ListAnnotations", service_pb2.ListAnnotationsRequest(user_ids=[guest.user_id])).annotations
    assert [a.input_id for a in wrote] == ["before"]
    delete(client, owner_of(client), made.id)
    # No crash, and nothing in the name of somebody who is no longer here: the input says why.
    status = add("after")
    assert status.code == status_code_pb2.MODEL_INVALID_ARGUMENT
    assert guest.user_id in status.details
    share(client, guest, "Apps_Get")
    assert add("again").code == 30000
