"""A server on both transports, two users whose apps are full of the same things, and a look at every row they own."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import grpc
from clarifai_grpc.grpc.api import resources_pb2 as r
from clarifai_grpc.grpc.api.status.status_pb2 import Status
from google.protobuf import json_format
from sqlalchemy import select

from labelwright import config
from labelwright.annotator.predict import Forecaster, Prediction, Task
from labelwright.ids import new_id
from labelwright.media.blobs import BlobStore
from labelwright.protocol import rest
from labelwright.protocol import server as grpc_server
from labelwright.protocol.dispatch import Server
from labelwright.protocol.http import build_app
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.methods import methods
from labelwright.protocol.public_app import seed
from labelwright.store import apps, schema, users
from labelwright.store import tables as t
from labelwright.store.engine import Store
from tests.integration.some_requests import APP, KIN, ONE, OTHER_APP, evaluation, graph, threshold

Rows = dict[str, list[tuple[Any, ...]]]
"""The rows of each table."""

LIMIT = 2**20
"""Bytes that a message may have: the least that can be set."""


SUCCESS = 10000
NOTHING = SimpleNamespace(status=Status(code=SUCCESS, req_id="none: the stream was empty"))
"""What stands for the last reply of a stream that has none."""


class Here:
    """A predictor that works within this process."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self._lock = threading.Lock()

    def run(self, task: Task) -> list[Prediction]:
        with self._lock:
            return self._forecaster.run(task)


@dataclass
class Person:
    """A user with an app full of things."""

    id: str
    token: str
    names: dict[str, str] = field(default_factory=dict)
    """What the server named itself."""


def secret(person: Person) -> str:
    """What only this person may read."""
    return f"only {person.id} knows"


@dataclass
class Answer:
    """What came back, whichever way."""

    code: int
    details: str
    req_id: str
    text: str
    """All of it, for looking at."""
    http: int = 0


class World:
    """One server with its users; close it when done."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store, self.home = store, home
        settings = config.load(home=home / "home", max_message_bytes=LIMIT)
        blobs = BlobStore(settings.media_store_url)
        schema.upgrade(store)
        seed(store)
        self.server = Server(settings, store, blobs, Here(Forecaster(settings, store, blobs)), lambda: None)
        self._grpc, _health = grpc_server.build(self.server)
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self._edge = EdgeLoop(build_app(lambda: True, rest.routes(self.server)))
        self._edge.start(None, ("127.0.0.1", 0), None)
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        )
        self.http = HTTPConnection("127.0.0.1", self._edge.http_port, timeout=30)
        self.guest, self.stranger = self._person("guest", full=False), self._person("other", full=False)
        self.owner, self.victim = self._person("owner"), self._person("vicky")
        self._raw: sqlite3.Connection | None = None
        self._saved: sqlite3.Connection | None = None
        if store.engine.dialect.name == "sqlite":
            self._raw = sqlite3.connect(str(store.engine.url.database), isolation_level=None)
            self._saved = sqlite3.connect(":memory:")
            self._raw.backup(self._saved)
        self._restored: Any = None

    def close(self) -> None:
        for raw in (self._raw, self._saved):
            if raw is not None:
                raw.close()
        self.http.close()
        self.channel.close()
        self._edge.stop()
        self._grpc.stop(0).wait()

    def restore(self) -> None:
        """Bring everything back to how it was in the beginning. On SQLite alone."""
        if self._raw is None or self._saved is None:
            raise RuntimeError("only SQLite is brought back")
        if self.version() != self._restored:
            self._saved.backup(self._raw)
            self.server.auth.forget()
            self._restored = self.version()

    # --- calls ------------------------------------------------------------------------------------

    def call(self, rpc: str, request: Any, token: str | None = None) -> Any:
        """The reply over gRPC, to the owner where nobody else is named; of a stream the last one."""
        method = methods()[rpc]
        return self.raw(rpc, request.SerializeToString(), token, method.reply.FromString)

    def raw(self, rpc: str, request: bytes, token: str | None = None, reader: Any = None) -> Any:
        """As `call`, with whatever bytes."""
        method = methods()[rpc]
        token = self.owner.token if token is None else token
        metadata = (("authorization", f"Key {token}"),) if token else ()
        kind: Any = self.channel.unary_stream if method.server_streams else self.channel.unary_unary
        reply = kind(method.path, response_deserializer=reader or method.reply.FromString)(
            request, metadata=metadata, timeout=60
        )
        return (list(reply) or [NOTHING])[-1] if method.server_streams else reply

    def over_grpc(self, rpc: str, request: Any, token: str | None = None) -> Answer:
        """The answer over gRPC; a request may be bytes."""
        reply = self.raw(rpc, request, token) if isinstance(request, bytes) else self.call(rpc, request, token)
        status = reply.status
        return Answer(status.code, status.details, status.req_id, str(reply))

    def over_rest(self, rpc: str, request: Any, token: str | None = None) -> Answer:
        """The answer over REST, by the RPC's main path."""
        body = json_format.MessageToDict(request, preserving_proto_field_name=True)
        return self.asked(rpc, body, token)

    def asked(self, rpc: str, given: Any, token: str | None = None, binding: rest.Binding | None = None) -> Answer:
        """The answer over REST to plain values, or to the bytes of a body."""
        binding = binding or self.binding(rpc)
        token = self.owner.token if token is None else token
        path, body = binding.template, given
        plain = json.loads(json.dumps(given)) if isinstance(given, dict) else {}
        for variable in binding.variables:
            value = _pop(plain, variable.split("."))
            path = path.replace(
                f"{{{variable}}}", quote(str(value), safe="", errors="surrogatepass").replace(".", "%2E") or "-"
            )
        headers = {"Authorization": f"Key {token}"} if token else {}
        if binding.verb == "GET":
            query = urlencode(list(_flat(plain)), errors="surrogatepass")
            return self.fetch("GET", f"{path}?{query}", None, headers)
        if isinstance(given, dict):
            body = json.dumps(plain.get(binding.body, {}) if binding.body not in ("", "*") else plain).encode()
        elif not isinstance(given, bytes):
            body = json.dumps(given).encode()
        return self.fetch(binding.verb, path, body, headers)

    def fetch(self, verb: str, target: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        """One HTTP call."""
        # Not httpx, which takes twice as long and refuses long addresses itself.
        try:
            self.http.request(verb, target, body, headers)
            reply = self.http.getresponse()
            said = reply.read()
        except BaseException:
            self.http.close()
            raise
        lines = said.decode().strip().split("\n")
        if lines == [""]:
            return Answer(SUCCESS, "", NOTHING.status.req_id, "", reply.status)
        status = json.loads(lines[-1])["status"]
        text = "\n".join(lines)
        return Answer(status["code"], status.get("details", ""), status.get("req_id", ""), text, reply.status)

    def binding(self, rpc: str) -> rest.Binding:
        """The first path that leads to an RPC."""
        return next(b for b in rest.bindings() if b.method == rpc and not b.hidden_by)

    # --- rows -------------------------------------------------------------------------------------

    def rows(self) -> Rows:
        """Every row of every table."""
        if self._raw is not None:
            # A tenth of the time that it takes through SQLAlchemy.
            columns = {x.name: ", ".join(c.name for c in x.columns) for x in t.metadata.sorted_tables}
            return {x: self._raw.execute(f"SELECT {c} FROM {x} ORDER BY 1, 2").fetchall() for x, c in columns.items()}
        with self.store.read() as conn:
            found = {x.name: [tuple(row) for row in conn.execute(select(x))] for x in t.metadata.sorted_tables}
        return {name: sorted(rows, key=repr) for name, rows in found.items()}

    def version(self) -> Any:
        """Something that differs as soon as anything is written. On SQLite alone."""
        return self._raw.execute("PRAGMA data_version").fetchone() if self._raw is not None else object()

    def of(self, person: Person, rows: Rows) -> Rows:
        """Those rows that belong to a user: the user's own, and what hangs on them."""
        owned: dict[str, set[Any]] = {"users": {person.id}}
        found: Rows = {}
        for table in t.metadata.sorted_tables:
            columns = [c.name for c in table.columns]
            links = [(columns.index(k.parent.name), k.column.table.name) for k in table.foreign_keys]
            key = columns.index("pk") if "pk" in columns else 0
            mine = [
                row
                for row in rows[table.name]
                if (table.name == "users" and row[0] == person.id)
                or any(row[at] is not None and row[at] in owned.get(to, ()) for at, to in links)
            ]
            owned.setdefault(table.name, set()).update(row[key] for row in mine)
            found[table.name] = mine
        return found

    def key(self, person: Person, *scopes: str, app: str | None = None) -> str:
        """The token of a new key with just these scopes."""
        return self.keys(person, [scopes], app)[0]

    def keys(self, person: Person, scopes: Any, app: str | None = None) -> list[str]:
        """The tokens of new keys, one for each set of scopes."""
        tokens = [new_id() for _ in scopes]
        with self.store.write() as conn:
            bound = apps.get(conn, person.id, app) if app else None
            for token, each in zip(tokens, scopes, strict=True):
                users.add_key(
                    conn, user_id=person.id, token=token, scopes=sorted(each), app=bound.pk if bound else None
                )
        return tokens

    # --- what is there ----------------------------------------------------------------------------

    def _person(self, name: str, *, full: bool = True) -> Person:
        person = Person(f"{name}-{new_id()[-8:]}", new_id())
        with self.store.write() as conn:
            users.ensure_user(conn, person.id)
            users.add_key(conn, user_id=person.id, token=person.token)
        if full:
            self._fill(person)
        return person

    def _fill(self, person: Person) -> None:
        place = r.UserAppIDSet(user_id=person.id, app_id=APP)

        def post(rpc: str, **fields: Any) -> Any:
            request: Any = methods()[rpc].request(user_app_id=place, **fields)
            reply = self.call(rpc, request, person.token)
            if reply.status.code != SUCCESS:
                raise RuntimeError(f"{rpc}: {reply}")
            return reply

        empty = r.Workflow(id="Empty", app_id="main", user_id="clarifai")
        post("PostApps", apps=[r.App(id=app, default_workflow=empty) for app in (APP, OTHER_APP)])
        post("PostConcepts", concepts=[r.Concept(id=ONE, name=secret(person)), r.Concept(id=KIN)])
        related = r.ConceptRelation(
            subject_concept=r.Concept(id=ONE), object_concept=r.Concept(id=KIN), predicate="synonym"
        )
        relation = post("PostConceptRelations", concept_id=ONE, concept_relations=[related]).concept_relations[0]
        post("PostKnowledgeGraphs", knowledge_graphs=[r.KnowledgeGraph(id=ONE)])
        model = post("PostModels", models=[threshold(id=ONE)]).model
        newer = r.ModelVersion(output_info=threshold().output_info, description="newer")
        newest = post("PostModelVersions", model_id=ONE, model_versions=[newer]).model.model_version
        workflow = post("PostWorkflows", workflows=[graph(ONE)]).workflows[0]
        patched = post("PatchWorkflows", workflows=[graph(ONE, 0.7)], action="overwrite").workflows[0]
        data = r.Data(text=r.Text(raw=secret(person)), concepts=[r.Concept(id=ONE, value=1)])
        job = new_id()
        post("PostInputs", inputs=[r.Input(id=ONE, data=data)], inputs_add_job_id=job)
        annotation = r.Annotation(id=ONE, input_id=ONE, data=r.Data(concepts=[r.Concept(id=KIN, value=1)]))
        post("PostAnnotations", annotations=[annotation])
        key = post("PostKeys", keys=[r.Key(type="personal_access_token", scopes=["Concepts_Get"])]).keys[0]
        invited = r.Collaborator(user=r.User(id=self.guest.id), scopes=["Concepts_Get"])
        collaborator = post("PostCollaborators", collaborators=[invited]).collaborators[0]
        post("PostEvaluations", eval_metrics=[evaluation(ONE)])
        person.names.update(
            relation=relation.id,
            old_model_version=model.model_version.id,
            model_version=newest.id,
            old_workflow_version=workflow.version.id,
            workflow_version=patched.version.id,
            job=job,
            key=key.id,
            collaborator=collaborator.id,
            guest=self.guest.id,
            stranger=self.stranger.id,
        )


def _pop(plain: Any, names: list[str]) -> Any:
    for name in names[:-1]:
        plain = plain.get(name) if isinstance(plain, dict) else None
    return plain.pop(names[-1], "") if isinstance(plain, dict) else ""


def _flat(plain: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in plain.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from _flat(item, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", str(item)


@contextmanager
def opened(url: str, home: Path) -> Iterator[World]:
    """A world on a fresh store."""
    store = Store(url)
    world = World(store, home)
    try:
        yield world
    finally:
        world.close()
        store.close()
