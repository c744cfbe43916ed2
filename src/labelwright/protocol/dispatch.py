"""The one dispatcher.

Every call, whatever brought it, is authenticated and authorised, run, put in an envelope, logged and counted here.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

import structlog
from google.protobuf.message import Message
from sqlalchemy import Connection, Row
from sqlalchemy.exc import DataError, SQLAlchemyError

from labelwright import metrics
from labelwright.annotator.predict import Prediction, Task
from labelwright.config import Settings
from labelwright.errors import BadRequestFormat, DoesNotExist, InvalidRequest, LabelwrightError, NotImplementedByServer
from labelwright.ids import new_id
from labelwright.media.blobs import BlobStore
from labelwright.media.signing import Signer
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.protocol.auth import Authenticator, Caller, Rights
from labelwright.protocol.methods import Method, methods
from labelwright.protocol.public_address import base_url
from labelwright.protocol.remembered import Remembered
from labelwright.protocol.wire import SUCCESS, error_status
from labelwright.store import apps, collaborators, secrets
from labelwright.store.engine import Store
from labelwright.store.inputs import AppKey

log = structlog.get_logger("labelwright.calls")

TURNS = 4
"""Calls that work at once. 4 threads answered most calls a second on two cores; 16 were 21-41 % slower, fighting
for the interpreter."""

SMALL = 64 * 1024
"""Bytes of a request that are parsed before anybody asks who sent them: 256 MB of JSON become gigabytes of objects."""

AnApp = TypeVar("AnApp", Row[Any], AppKey)
"""An app's row, or as much of it as the walls ask for."""

REQUEST_ID_PREFIX = "x-clarifai-request-id-prefix"


def request_id(metadata: Mapping[str, str]) -> str:
    """A new request id, behind the prefix that the caller asks for: 64 characters of it at most."""
    return metadata.get(REQUEST_ID_PREFIX, "")[:64] + new_id()


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
    counts: Remembered = field(default_factory=Remembered)
    """Counts of very many rows."""
    auth: Authenticator = field(init=False)
    signer: Signer = field(init=False)
    """Signs the addresses of media."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "auth", Authenticator(self.store, self.settings.rate_limit))
        object.__setattr__(self, "signer", Signer(lambda: secrets.get_or_create(self.store, "media")))

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
    caller: Caller
    req_id: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    """The call's metadata or HTTP headers, names in lower case."""
    also: Sequence[str] = ()
    """RPCs that the caller must be allowed to call in the app too, since the answer shows what they show."""

    @property
    def base_url(self) -> str:
        """What the addresses of media begin with; "" where none can be given."""
        return base_url(self.server.settings, self.metadata)

    @property
    def store(self) -> Store:
        return self.server.store

    @property
    def user_id(self) -> str:
        """The caller; "" where the method needs no key."""
        return self.caller.user_id

    def owner(self, user_app_id: Any) -> str:
        """The user whose resources are meant: the one named, or the caller."""
        named = str(user_app_id.user_id)
        return self.user_id if named in ("", "me") else named

    def app(self, conn: Connection, user_app_id: Any, *, change: bool = False) -> Row[Any]:
        """The app that a call is about. ``change``: it is locked until the transaction ends.

        The caller's own apps, those that the caller is a collaborator of, and for reading the public one; another
        user's app is as good as absent. A key that is bound to an app sees that one alone, which need not be named.

        Raises:
            InvalidRequest: no app is named.
            DoesNotExist: there is none, or the caller may not know of it.
            InsufficientScopes: a collaborator may not call this method there, or the caller one of ``also``.
        """
        owner, app_id = self.named(conn, user_app_id)
        row = self.let_in(conn, apps.get(conn, owner, app_id, lock=change), owner, app_id, change=change)
        if self.also:
            rights = self.rights(conn, row)
            for name in self.also:
                rights.check(methods()[name], "the caller")
        return row

    def named(self, conn: Connection, user_app_id: Any) -> tuple[str, str]:
        """The owner and the id of the app that a call is about; a key that is bound to one need not name it.

        Raises:
            InvalidRequest: no app is named.
        """
        owner, app_id, bound = self.owner(user_app_id), str(user_app_id.app_id), self.caller.app
        if bound is not None and not (app_id and user_app_id.user_id):
            row = apps.by_pk(conn, bound)
            if row is not None and app_id in ("", row.id) and (not user_app_id.user_id or owner == row.user_id):
                owner, app_id = row.user_id, row.id
        if not app_id:
            raise InvalidRequest("user_app_id.app_id is empty: say which app is meant")
        return owner, app_id

    def let_in(self, conn: Connection, row: AnApp | None, owner: str, app_id: str, *, change: bool = False) -> AnApp:
        """An app that was looked up by what `named` gave, if the caller may know of it.

        Raises:
            DoesNotExist, InsufficientScopes: as `app`.
        """
        if row is not None and (self._public(row, change) or self._lets_in(conn, row)):
            return row
        raise DoesNotExist(f"there is no app {app_id!r} of user {owner!r} that this key can see")

    def may_read(self, conn: Connection, app: Row[Any]) -> bool:
        """Whether `app` would give this app to somebody who names it and only reads.

        Raises:
            InsufficientScopes: a collaborator may not call this method there.
        """
        return self._public(app, False) or self._lets_in(conn, app)

    def rights(self, conn: Connection, app: Row[Any]) -> Rights:
        """What the caller may do in an app that `app` gave: what the key allows and, to a collaborator, the owner."""
        guest = None if app.user_id == self.user_id else collaborators.of(conn, app.pk, self.user_id)
        mine = self.caller.rights
        return mine if guest is None else mine.within(Rights.of(guest.scopes, guest.endpoints))

    @staticmethod
    def _public(row: Row[Any] | AppKey, change: bool) -> bool:
        return (row.user_id, row.id) == (PUBLIC_USER, PUBLIC_APP) and not change

    def _lets_in(self, conn: Connection, row: Row[Any] | AppKey) -> bool:
        if self.caller.app not in (None, row.pk):
            return False
        if row.user_id == self.user_id:
            return True
        guest = collaborators.of(conn, row.pk, self.user_id)
        if guest is None:
            return False
        Rights.of(guest.scopes, guest.endpoints).check(self.method, "a collaborator of this app")
        return True


Handler = Callable[[Call, Any], Message]
StreamHandler = Callable[[Call, Any], Iterable[Message]]
H = TypeVar("H", bound=Callable[..., Any])
T = TypeVar("T")

_handlers: dict[str, Callable[[Call, Any], Any]] = {}


def serves(name: str) -> Callable[[H], H]:
    """Register a handler for an RPC.

    It returns the reply, or, where the server's side of the RPC streams, an iterable of replies; a reply without a
    status means success.
    """
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


def dispatch(server: Server, method: Method, request: Message | Exception, metadata: Mapping[str, str]) -> Message:
    """Answer one call. Never raises: what goes wrong is the reply's status.

    Args:
        request: the message, or why what came is none: a DecodeError, or an error of ours with its own words.
        metadata: the call's metadata or HTTP headers, names in lower case.
    """
    answer = _Answer(server, method, metadata)
    with server.turns:
        try:
            reply = answer.handler()(answer.open(request), request)
        except Exception as e:  # noqa: BLE001 (the last line of defence: no traceback reaches a client)
            reply = answer.failed(e)
        return answer.close(answer.envelope(reply))


def dispatch_stream(
    server: Server, method: Method, request: Message | Exception, metadata: Mapping[str, str]
) -> Iterator[Message]:
    """Answer one call of a method whose server side streams: as `dispatch`, a reply after the other.

    Between two replies other calls have their turn. A failure half-way is the status of the last reply.
    """
    answer = _Answer(server, method, metadata)
    replies: Iterator[Message] | None = None
    while True:
        with server.turns:
            try:
                if replies is None:
                    replies = iter(answer.handler()(answer.open(request), request))
                reply = next(replies)
            except StopIteration:
                answer.log()
                return
            except Exception as e:  # noqa: BLE001 (as above)
                reply = answer.close(answer.envelope(answer.failed(e)))
                replies = None
        if replies is None:
            yield reply
            return
        yield answer.envelope(reply)


def stranger(server: Server, method: Method, metadata: Mapping[str, str], size: int) -> Exception | None:
    """Why a request of this many bytes need not be taken or parsed: nobody may make the call who comes like this.

    `dispatch`, given this for the request, says what is wrong with the key. None where the request is small, or is
    to be looked at.
    """
    if size <= SMALL:
        return None
    try:
        server.auth.known(method, metadata)
    except Exception as e:  # noqa: BLE001 (the dispatcher asks again, and answers and logs what is wrong)
        return e
    return None


def call_of(server: Server, name: str, metadata: Mapping[str, str]) -> Call:
    """A call of an RPC for what is served beside it, by the same keys, scopes and rates.

    Raises:
        LabelwrightError: as `Authenticator.caller`.
    """
    method = methods()[name]
    return Call(server=server, method=method, caller=server.auth.caller(method, metadata), req_id=request_id(metadata))


def beside(server: Server, name: str, metadata: Mapping[str, str], work: Callable[[Call], T]) -> T | Message:
    """Do what is served beside an RPC as a call of it: by its keys, scopes and rates, in its turn, logged and counted.

    Returns what ``work`` returns; or, where that or the key fails, the RPC's reply, whose status says why. Never
    raises.
    """
    method = methods()[name]
    answer = _Answer(server, method, metadata)
    with server.turns:
        try:
            result = work(answer.open(method.request()))
        except Exception as e:  # noqa: BLE001 (as in `dispatch`)
            return answer.close(answer.envelope(answer.failed(e)))
        answer.log()
        return result


def _not_served(call: Call, _request: Message) -> Message:
    raise NotImplementedByServer(f"this server does not serve {call.method.name}")


class _Answer:
    """What stands around a handler: who calls, the envelope, the log line."""

    def __init__(self, server: Server, method: Method, metadata: Mapping[str, str]) -> None:
        self._server = server
        self._method = method
        self._metadata = metadata
        self._started = time.perf_counter()
        self._req_id = request_id(metadata)
        self._user_id = ""
        self._code: int = SUCCESS

    def handler(self) -> Callable[[Call, Any], Any]:
        return _handlers.get(self._method.name, _not_served)

    def open(self, request: Message | Exception) -> Call:
        """Authenticate and authorise."""
        caller = self._server.auth.caller(self._method, self._metadata)
        self._user_id = caller.user_id
        if isinstance(request, LabelwrightError):
            raise request
        if isinstance(request, Exception):
            name = self._method.request.DESCRIPTOR.name
            raise BadRequestFormat(f"what came is no {name}, or is nested too deeply") from request
        return Call(self._server, self._method, caller, self._req_id, self._metadata)

    def failed(self, error: Exception) -> Message:
        """What a client is told of an error; what only concerns us goes into the log."""
        name, req_id = self._method.name, self._req_id
        if isinstance(error, LabelwrightError):
            return self._error(error)
        if isinstance(error, DataError):
            # A text that the database can't hold: PostgreSQL has no NUL, for one.
            log.warning("the store refused a value", rpc=name, req_id=req_id, error=str(error.orig)[:200])
            return self._error(
                InvalidRequest("the request holds a value that can't be stored, such as a NUL character in a text")
            )
        if isinstance(error, SQLAlchemyError):
            # Not the exception's own text: it holds the statement with its values, by the megabyte in a long call.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("the store failed", rpc=name, req_id=req_id, error=_cause(error), where=where)
            return self._internal(f"the store failed ({type(error).__name__})")
        log.error("a call failed", rpc=name, req_id=req_id, exc_info=error)
        return self._internal(f"internal error ({type(error).__name__})")

    def envelope(self, reply: Message) -> Message:
        """Complete the reply's status."""
        state = cast(Any, reply).status
        if state.code == 0:
            state.code, state.description = SUCCESS, "Ok"
        state.req_id = self._req_id
        self._code = state.code
        return reply

    def close(self, reply: Message) -> Message:
        self.log()
        return reply

    def log(self) -> None:
        seconds = time.perf_counter() - self._started
        name, code = self._method.name, self._code
        metrics.call(name, code, seconds)
        log.info("call", rpc=name, user=self._user_id, code=code, ms=round(seconds * 1000, 2), req_id=self._req_id)

    def _internal(self, details: str) -> Message:
        return self._error(LabelwrightError(f"{details}; the log has more under this req_id"))

    def _error(self, error: LabelwrightError) -> Message:
        reply = self._method.reply()
        state = cast(Any, reply).status
        state.CopyFrom(error_status(error))
        # Several errors may share a code: over HTTP this tells them apart.
        state.http_status_code = error.http_status
        return reply


def _cause(error: SQLAlchemyError) -> str:
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or error}"[:500]
