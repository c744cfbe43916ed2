"""Starting and stopping a server, or annotators alone."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import structlog

import labelwright
from labelwright import config, logs
from labelwright.annotator import processes
from labelwright.annotator.processes import settle_memory
from labelwright.annotator.supervisor import Supervisor
from labelwright.demo.photos import Photo, sample_photos
from labelwright.errors import ConfigurationError
from labelwright.ids import new_token, resource_id_problem
from labelwright.media.blobs import BlobStore
from labelwright.models.catalogue import PUBLIC_USER
from labelwright.operators import registry
from labelwright.protocol import hosted, metrics_page, openapi_page, rest, tls
from labelwright.protocol import server as grpc_server
from labelwright.protocol.dispatch import Server
from labelwright.protocol.frontdoor import Upstream
from labelwright.protocol.http import build_app
from labelwright.protocol.listeners import format_address
from labelwright.protocol.loop import EdgeLoop
from labelwright.protocol.public_address import reached
from labelwright.protocol.public_app import seed
from labelwright.review.routes import routes as review_routes
from labelwright.review.routes import with_sessions
from labelwright.store import schema, users
from labelwright.store.engine import Store

log = structlog.get_logger("labelwright.serve")

CALLS_GRACE, WORK_GRACE = 1.0, 7.5
"""Seconds that open calls, and then the processes, get to end in: 10 together is what SIGTERM promises."""


def serve(**flags: Any) -> None:
    """Run a server until it is told to stop."""
    settings = _prepare(flags)
    certificate = tls.load(settings)
    store = Store(settings.store_url)
    schema.upgrade(store)
    seed(store)
    registry.populate(settings.plugins)
    kinds = [processes.ANNOTATOR] * settings.workers + [processes.JOBS, processes.PREDICTOR]
    supervisor = Supervisor(settings, store, kinds)
    told = _signals()
    shared = Server(
        settings=settings,
        store=store,
        blobs=BlobStore(settings.media_store_url),
        predictor=supervisor,
        wake=supervisor.wake,
    )
    ready = threading.Event()
    routes = [
        *metrics_page.routes(shared),
        *openapi_page.routes(),
        *hosted.routes(shared),
        *rest.routes(shared),
        *review_routes(shared, _demo_photos),
    ]
    edge = EdgeLoop(with_sessions(build_app(ready.is_set, routes), shared))
    calls, health = grpc_server.build(shared)
    addresses = settings.addresses
    with _grpc_upstream(calls) as upstream:
        grpc_port = _bind(calls, addresses.grpc, certificate)
        contexts = certificate.context if certificate else None
        edge.start(_parsed(addresses.listen), _parsed(addresses.http), upstream, tls=contexts)
        try:
            # Not before the ports are open: a start that fails there must not have used up the token unseen.
            owner, token = _owner(store, settings)
            supervisor.start()
            calls.start()
            grpc_server.set_serving(health)
            settle_memory()
            ready.set()
            opened = {
                "listen": _shown(addresses.listen, edge.listen_port),
                "grpc": _shown(addresses.grpc, grpc_port),
                "http": _shown(addresses.http, edge.http_port),
            }
            _banner(settings, opened, owner, token, certificate)
            told.wait()
            log.info("stopping")
        finally:
            ready.clear()
            health.enter_graceful_shutdown()
            gone = calls.stop(CALLS_GRACE)
            edge.stop(CALLS_GRACE)
            gone.wait(CALLS_GRACE)
            supervisor.stop(WORK_GRACE)
            store.close()
    log.info("stopped")
    _end()


def worker(**flags: Any) -> None:
    """Run annotators until told to stop."""
    settings = _prepare(flags)
    if settings.database_url is None and not (settings.home / "labelwright.db").exists():
        raise ConfigurationError(
            f"there is no store in {settings.home}: start a server first, and give its home or its database_url"
        )
    store = Store(settings.store_url)
    schema.upgrade(store)
    registry.populate(settings.plugins)
    told = _signals()
    supervisor = Supervisor(settings, store, [processes.ANNOTATOR] * max(1, settings.workers))
    supervisor.start()
    print(f"{max(1, settings.workers)} annotator(s) at work on {_store_shown(settings)}; Ctrl-C ends", flush=True)
    told.wait()
    supervisor.stop(WORK_GRACE)
    store.close()
    _end()


def _demo_photos() -> tuple[Photo, ...]:
    """Those that the page of an empty store offers; none where they are not installed."""
    try:
        return sample_photos().photos
    except ConfigurationError:
        return ()


def _end() -> NoReturn:
    """End the process: a call that hangs in a thread must not hold it, as the interpreter's own end would."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _prepare(flags: dict[str, Any]) -> config.Settings:
    settings = config.load(**flags)
    logs.configure(settings.log_level, settings.log_format)
    # The store and the media are the owner's alone, wherever the home is and whoever may look into it.
    os.umask(0o077)
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigurationError(
            f"the home {settings.home} can't be made ({e.strerror}); name another with --home"
        ) from e
    return settings


def _owner(store: Store, settings: config.Settings) -> tuple[str, str | None]:
    """The owner's id; and the token, the first time only."""
    with store.write() as conn:
        owner = users.first_user(conn, besides=PUBLIC_USER)
        if owner is not None and users.has_keys(conn, owner):
            return owner, None
        owner = owner or settings.user_id
        if problem := resource_id_problem(owner):
            raise ConfigurationError(f"user_id: {problem}")
        if owner in (PUBLIC_USER, "me"):
            raise ConfigurationError(f"user_id {owner!r} has a meaning of its own in the API; choose another")
        token = settings.pat.get_secret_value() if settings.pat is not None else new_token()
        if not token.strip() or token != token.strip() or len(token) < 8:
            raise ConfigurationError("pat: a token needs 8 characters or more, and no white space at its ends")
        users.ensure_user(conn, owner)
        users.add_key(conn, user_id=owner, token=token, description="the owner's first key")
        return owner, token


def _signals() -> threading.Event:
    told = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: told.set())
    return told


def _parsed(address: str | None) -> tuple[str, int] | None:
    return config.parse_address(address) if address is not None else None


@contextlib.contextmanager
def _grpc_upstream(calls: Any) -> Iterator[Upstream]:
    """A private port of the gRPC server, for the front door."""
    if not hasattr(socket, "AF_UNIX"):
        yield Upstream(("127.0.0.1", calls.add_insecure_port("127.0.0.1:0")))
        return
    # Not in the home: a unix socket's path may have 107 bytes only.
    folder = tempfile.mkdtemp(prefix="labelwright-")
    try:
        path = os.path.join(folder, "grpc")
        calls.add_insecure_port(f"unix:{path}")
        yield Upstream(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bind(calls: Any, address: str | None, certificate: tls.Certificate | None) -> int | None:
    if address is None:
        return None
    host, port = config.parse_address(address)
    try:
        # Asked first, since gRPC would write lines of its own about a port that is taken.
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
        where = format_address((host, port))
        bound: int
        if certificate is None:
            bound = calls.add_insecure_port(where)
        else:
            bound = calls.add_secure_port(where, certificate.grpc_credentials())
    except (RuntimeError, OSError):
        bound = 0
    if not bound:
        raise ConfigurationError(
            f"can't listen on {address} for gRPC: another process may listen there, or the port may be barred; "
            "choose another port (0 takes any free one)"
        )
    return bound


def _shown(address: str | None, port: int | None) -> str | None:
    if address is None or port is None:
        return None
    return format_address((config.parse_address(address)[0], port))


def _store_shown(settings: config.Settings) -> str:
    if settings.database_url is None:
        return str(settings.home)
    from sqlalchemy import make_url

    return make_url(settings.database_url).render_as_string(hide_password=True)


def _banner(
    settings: config.Settings,
    opened: dict[str, str | None],
    owner: str,
    token: str | None,
    certificate: tls.Certificate | None,
) -> None:
    lines = [f"Labelwright {labelwright.__version__}", ""]
    begin = f"{tls.scheme(settings)}://"
    if opened["listen"]:
        lines.append(f"  gRPC and HTTP   {begin}{opened['listen']}")
    if opened["grpc"]:
        lines.append(f"  gRPC            {opened['grpc']}{' over TLS' if certificate else ''}")
    if opened["http"]:
        lines.append(f"  HTTP            {begin}{opened['http']}")
    if web := opened["listen"] or opened["http"]:
        lines.append(f"  Review          {begin}{web}/apps")
        lines.append(f"  every call      {begin}{web}/docs")
    lines.append(f"  data            {_store_shown(settings)}")
    if settings.database_url is not None:
        lines.append(f"  media           {settings.media_store_url}")
    lines.append(f"  user id         {owner}")
    if token is not None and settings.pat is None:
        lines += [f"  access token    {token}", "                  (shown this once; only its hash is stored)"]
    address = opened["listen"] or opened["grpc"]
    if token is not None and address:
        host, port = reached(address)
        # A token that the environment gave is not repeated here: what is printed may end in a log.
        chosen = settings.pat is not None
        more, key = ("; import os", """"Key " + os.environ["LABELWRIGHT_PAT"]""") if chosen else ("", f'"Key {token}"')
        lines += [
            "",
            "Connect with the official client (pip install clarifai-grpc):",
            "",
            "  from clarifai_grpc.channel.clarifai_channel import ClarifaiChannel; "
            f"from clarifai_grpc.grpc.api import service_pb2_grpc, resources_pb2{more}",
            f"  stub = service_pb2_grpc.V2Stub({_channel(host, port, certificate)})",
            f'  metadata = (("authorization", {key}),); '
            f'userDataObject = resources_pb2.UserAppIDSet(user_id="{owner}", app_id="my-app")',
        ]
    if token is not None and web:
        shown = "$LABELWRIGHT_PAT" if settings.pat is not None else token
        lines += ["", "or with curl:", "", f"  {_curl(web, shown, certificate)}"]
    print("\n".join([*lines, "", "Ready. Ctrl-C ends."]), flush=True)


def _channel(host: str, port: int, certificate: tls.Certificate | None) -> str:
    """The official client's expression for a channel to this address."""
    if certificate is None:
        return f'ClarifaiChannel.get_insecure_grpc_channel(base="{host}", port={port})'
    # The name is checked against the certificate, and the certificate against the roots.
    roots = certificate.roots()
    trust = f", root_certificates_path={str(roots)!r}" if roots else ""
    return f'ClarifaiChannel.get_grpc_channel(base="{format_address((certificate.host(host), port))}"{trust})'


def _curl(address: str, token: str, certificate: tls.Certificate | None) -> str:
    host, port = reached(address)
    scheme, trust = "http", ""
    if certificate is not None:
        scheme, host, roots = "https", certificate.host(host), certificate.roots()
        trust = f" --cacert {shlex.quote(str(roots))}" if roots else ""
    return f'curl{trust} -H "Authorization: Key {token}" {scheme}://{format_address((host, port))}/v2/users/me'
