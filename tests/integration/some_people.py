"""More users beside the client's own, and calls in their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api import service_pb2
from clarifai_grpc.grpc.api.resources_pb2 import App, Collaborator, Key, User, UserAppIDSet

from labelwright.ids import new_id
from labelwright.store import users

PAT = "personal_access_token"


@dataclass
class Person:
    """Somebody with a key."""

    stub: Any
    user_id: str
    token: str

    def call(self, rpc: str, request: Any, expect: int | None = 10000) -> Any:
        """Call an RPC with the key, changing nothing in the request."""
        metadata = (("authorization", f"Key {self.token}"),)
        reply = getattr(self.stub, rpc)(request, metadata=metadata, timeout=60)
        if expect is not None:
            assert reply.status.code == expect, f"{rpc}: {reply.status}"
        return reply

    def post_key(self, expect: int = 10000, **fields: Any) -> Any:
        """Make a key; a personal access token for everything where nothing else is said."""
        fields = {"type": PAT, **fields}
        if "scopes" not in fields and "endpoints" not in fields:
            fields["scopes"] = ["All"]
        reply = self.call("PostKeys", service_pb2.PostKeysRequest(keys=[Key(**fields)]), expect)
        return reply.keys[0] if expect == 10000 else reply.status

    def with_key(self, **fields: Any) -> Person:
        """The same person with another key."""
        return Person(self.stub, self.user_id, self.post_key(**fields).id)

    def bound(self, app: str = "app", scopes: Any = ("All",), **fields: Any) -> Person:
        """The same person with a key that is bound to an app."""
        apps = [App(id=app, user_id=fields.pop("owner", ""))]
        return self.with_key(type="app_specific_key", apps=apps, scopes=scopes, **fields)


def owner_of(client: Any) -> Person:
    """The client's user."""
    return Person(client.stub, client.user_id, client.token)


def another(client: Any, name: str = "other") -> Person:
    """A new user with a key for everything."""
    person = Person(client.stub, f"{name}-{new_id()[-8:]}", new_id())
    with client.server.store.write() as conn:
        users.ensure_user(conn, person.user_id)
        users.add_key(conn, user_id=person.user_id, token=person.token)
    return person


def share(client: Any, person: Person, *scopes: str, endpoints: Any = (), expect: int = 10000) -> Any:
    """Make somebody a collaborator of the client's app."""
    collaborator = Collaborator(user=User(id=person.user_id), scopes=scopes, endpoints=endpoints)
    reply = client.call("PostCollaborators", service_pb2.PostCollaboratorsRequest(collaborators=[collaborator]), expect)
    return reply.collaborators[0] if expect == 10000 else reply.status


def place(client: Any) -> UserAppIDSet:
    """The client's app, named in full."""
    return UserAppIDSet(user_id=client.user_id, app_id="app")
