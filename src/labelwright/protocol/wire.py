"""Small things between messages and the store: times, statuses, pages, what a message is cut down to."""

from __future__ import annotations

from typing import Protocol, TypeVar

from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from labelwright.errors import InvalidRequest, LabelwrightError, StoreError

DEFAULT_PER_PAGE = 128
MAX_PER_PAGE = 1000

M = TypeVar("M", bound=Message)


class Paged(Protocol):
    """A request that asks for one page of a list."""

    page: int
    per_page: int


def offset_limit(request: Paged) -> tuple[int, int]:
    """The rows to skip and to return. Page 1 of 128 where nothing is said; at most 1,000 a page."""
    page, per_page = request.page or 1, request.per_page or DEFAULT_PER_PAGE
    if per_page > MAX_PER_PAGE:
        raise InvalidRequest(f"per_page is {per_page}; legal are 1 to {MAX_PER_PAGE}")
    return (page - 1) * per_page, per_page


def set_time(target: Timestamp, microseconds: int) -> None:
    """Write a time of the store into a message."""
    target.FromMicroseconds(microseconds)


def status(code: int, details: str = "", description: str = "") -> status_pb2.Status:
    """A Status; its description is the API's text for the code where none is given."""
    return status_pb2.Status(
        code=code,
        description=description or describe(code),
        details=details,
    )


def error_status(error: LabelwrightError) -> status_pb2.Status:
    """The Status that an error means to a client."""
    return status(error.code, error.details, error.description)


SUCCESS = status_code_pb2.SUCCESS
MIXED = status_code_pb2.MIXED_STATUS
FAILURE = status_code_pb2.FAILURE

_TEXTS = {
    10000: "Ok",
    10010: "Mixed Success",
    10020: "Failure",
    10040: "Not implemented",
    24150: "Annotation success",
    24151: "Annotation pending",
    30000: "Download complete",
    30001: "Download pending",
    30002: "Download failed",
    30003: "Download in progress",
    21100: "Model is trained and ready",
    21101: "Model is currently being trained",
    21102: "Model is untrained",
    21103: "Model is currently in queue for training",
}


def _subclasses(root: type[LabelwrightError]) -> list[type[LabelwrightError]]:
    return [root, *(s for c in root.__subclasses__() for s in _subclasses(c))]


def describe(code: int) -> str:
    """The one-line text for a status code."""
    if code in _TEXTS:
        return _TEXTS[code]
    for error in _subclasses(LabelwrightError):
        if error.code == code and error is not LabelwrightError:
            return error().description
    try:
        name = status_code_pb2.StatusCode.Name(code)  # type: ignore[arg-type]
    except ValueError:
        return ""
    return name.replace("_", " ").capitalize()


def parse(kind: type[M], data: bytes) -> M:
    """Read a message that the store kept."""
    message = kind()
    try:
        # Where nothing was ever written, SQLite gives the column's default: an empty text, not empty bytes.
        message.ParseFromString(data or b"")
    except DecodeError as e:
        raise StoreError(f"a stored {kind.__name__} can't be read: {e}") from None
    return message


def without(message: M, *fields: str) -> bytes:
    """The bytes of a message less these fields: what goes into a `wire` column beside the columns."""
    copy = type(message)()
    copy.CopyFrom(message)
    for field in fields:
        copy.ClearField(field)
    return copy.SerializeToString(deterministic=True)
