"""The one dispatcher: every call, whatever brought it, is authenticated, run, put in an envelope and logged here."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import structlog
from google.protobuf.message import DecodeError, Message
from sqlalchemy import Connection, Row
from sqlalchemy.exc import DataError, SQLAlchemyError

from labelwright.annotator.predict import Prediction, Task
from labelwright.config import Settings
from labelwright.errors import BadRequestFormat, DoesNotExist, InvalidRequest, LabelwrightError, NotImplementedByServer
from labelwright.ids import new_id
from labelwright.media.blobs import BlobStore
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.protocol import auth
from labelwright.protocol.methods import Method, methods
from labelwright.protocol.wire import SUCCESS, error_status
from labelwright.store import apps
from labelwright.store.engine import Store

log = structlog.get_logger("labelwright.calls")

TURNS = 4
"""Calls that work at once. 4 threads answered most calls a second on two cores; 16 were 21-41 % slower, fighting
for the interpreter."""

REQUEST_ID_PREFIX = "x-clarifai-request-id-prefix"


class Predictor(Protocol):
    """Whoever runs models for a call that waits."""

    def run(self, task: Task) -> list[Prediction]:
        """Run one task outside this process.

        Raises:
            LabelwrightError: what the task raised, or Overloaded where too many wait already.
        """


@dataclass(frozen=True, slots=True)
class Server:
    """What the handlers share: made once when the server starts."""

    settings: Settings
    store: Store
    blobs: BlobStore
    predictor: Predictor
    wake: Callable[[], None]
    """Tell the idle workers that there is something to do."""
    turns: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(TURNS))
    """How many calls work at once; who waits for a prediction lets another work meanwhile."""

    def predict(self, task: Task) -> list[Prediction]:
        """Have a task predicted, and let other calls work meanwhile.

        Raises:
            LabelwrightError: as `Predictor.run`.
        """
        self.turns.release()
        try:
            return self.predictor.run(task)
        finally:
            self.turns.acquire()


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who calls, and what the handler may use."""

    server: Server
    method: Method
    user_id: str
    """The caller; "" where the method needs no key."""
    req_id: str

    @property
    def store(self) -> Store:
        return self.server.store

    def owner(self, user_app_id: Any) -> str:
        """The user whose resources are meant: the one named, or the caller."""
        named = str(user_app_id.user_id)
        return self.user_id if named in ("", "me") else named

    def app(self, conn: Connection, user_app_id: Any, *, change: bool = False) -> Row[Any]:
        """The app that a call is about. ``change``: it is locked until the transaction ends.

        The caller's own apps, and for reading the public one; another user's app is as good as absent.

        Raises:
            InvalidRequest: no app is named.
            DoesNotExist: there is none, or it is not the caller's.
        """
        owner, app_id = self.owner(user_app_id), str(user_app_id.app_id)
        if not app_id:
            raise InvalidRequest("user_app_id.app_id is empty: say which app is meant")
        public = (owner, app_id) == (PUBLIC_USER, PUBLIC_APP)
        if owner == self.user_id or (public and not change):
            row = apps.get(conn, owner, app_id, lock=change)
            if row is not None:
                return row
        raise DoesNotExist(f"there is no app {app_id!r} of user {owner!r} that this key can see")


Handler = Callable[[Call, Any], Message]
H = TypeVar("H", bound=Callable[..., Any])

_handlers: dict[str, Handler] = {}


def serves(name: str) -> Callable[[H], H]:
    """Register a handler for an RPC. It returns the reply; a reply without a status means success."""
    if name not in methods():
        raise ValueError(f"the service has no RPC {name!r}")

    def register(handler: H) -> H:
        if name in _handlers:
            raise ValueError(f"{name} has two handlers")
        _handlers[name] = handler
        return handler

    return register


def served() -> frozenset[str]:
    """The names of the RPCs that have a handler."""
    from labelwright.protocol import resources

    resources.populate()
    return frozenset(_handlers)


def _not_served(call: Call, _request: Message) -> Message:
    raise NotImplementedByServer(f"this server does not serve {call.method.name}")


def dispatch(server: Server, method: Method, request: Message | DecodeError, metadata: Mapping[str, str]) -> Message:
    """Answer one call. Never raises: what goes wrong is the reply's status.

    Args:
        request: the message, or why what came is none.
        metadata: the call's metadata or HTTP headers, names in lower case.
    """
    with server.turns:
        return _dispatch(server, method, request, metadata)


def _dispatch(server: Server, method: Method, request: Message | DecodeError, metadata: Mapping[str, str]) -> Message:
    started = time.perf_counter()
    req_id = metadata.get(REQUEST_ID_PREFIX, "")[:64] + new_id()
    user_id = ""
    try:
        handler = _handlers.get(method.name, _not_served)
        if method.needs_key:
            user_id = auth.authenticate(server.store, metadata)
        if isinstance(request, DecodeError):
            raise BadRequestFormat(f"what came is no {method.request.DESCRIPTOR.name}, or is nested too deeply")
        reply = handler(Call(server=server, method=method, user_id=user_id, req_id=req_id), request)
    except LabelwrightError as e:
        reply = method.reply()
        cast(Any, reply).status.CopyFrom(error_status(e))
    except DataError as e:
        # A text that the database can't hold: PostgreSQL has no NUL, for one.
        log.warning("the store refused a value", rpc=method.name, req_id=req_id, error=str(e.orig)[:200])
        reply = method.reply()
        refused = InvalidRequest("the request holds a value that can't be stored, such as a NUL character in a text")
        cast(Any, reply).status.CopyFrom(error_status(refused))
    except SQLAlchemyError as e:
        # Not the exception's own text: it holds the statement with its values, by the megabyte in a long call.
        where = "".join(traceback.format_tb(e.__traceback__))
        log.error("the store failed", rpc=method.name, req_id=req_id, error=_cause(e), where=where)
        reply = _internal(method, f"the store failed ({type(e).__name__}); the log has more under this req_id")
    except Exception as e:  # the last line of defence: no traceback reaches a client
        log.exception("a call failed", rpc=method.name, req_id=req_id)
        reply = _internal(method, f"internal error ({type(e).__name__}); the log has more under this req_id")
    state = cast(Any, reply).status
    if state.code == 0:
        state.code, state.description = SUCCESS, "Ok"
    state.req_id = req_id
    log.info(
        "call",
        rpc=method.name,
        user=user_id,
        code=state.code,
        ms=round((time.perf_counter() - started) * 1000, 2),
        req_id=req_id,
    )
    return reply


def _cause(error: SQLAlchemyError) -> str:
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"[:500]


def _internal(method: Method, details: str) -> Message:
    reply = method.reply()
    cast(Any, reply).status.CopyFrom(error_status(LabelwrightError(details)))
    return reply
