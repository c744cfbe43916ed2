"""The messages of protobuf itself that JSON writes in a form of their own: times, objects, wrapped values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from labelwright.protocol.rest.scalars import Wrong, named, shown, text

EXACT = 2**53
"""Integers below this are the same number in every JSON library; larger ones go as texts."""
_EPOCH = datetime(1970, 1, 1)
_FIRST, _LAST = -62135596800, 253402300799
"""Seconds of the years 1 and 9999, between which a Timestamp lies."""

MAX_DEPTH = 90
"""Messages in messages, of which protobuf reads 100 from the wire: what is stored, or put some messages deeper into a
reply, must still be read there. An object in a Struct counts as three."""


def too_deep() -> Wrong:
    return Wrong(f"is nested too deeply: {MAX_DEPTH} messages are the limit, and an object in a Struct counts as three")


# --- printing -------------------------------------------------------------------------------------


@lru_cache(4096)
def _second(seconds: int) -> str:
    # Items made together share their seconds: a page of a listing has a few different ones.
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()


def show_time(message: Any) -> str:
    """RFC 3339 in UTC, with 0, 3, 6 or 9 digits after the point. A time beyond the years 1 to 9999 is cut to them."""
    seconds, nanos = message.seconds, message.nanos
    if not (_FIRST <= seconds <= _LAST and 0 <= nanos < 10**9):
        seconds, nanos = min(max(seconds, _FIRST), _LAST), min(max(nanos, 0), 10**9 - 1)
    if not nanos:
        return f"{_second(seconds)}Z"
    if nanos % 1000:
        return f"{_second(seconds)}.{nanos:09d}Z"
    if nanos % 1_000_000:
        return f"{_second(seconds)}.{nanos // 1000:06d}Z"
    return f"{_second(seconds)}.{nanos // 1_000_000:03d}Z"


def show_duration(message: Any) -> str:
    """Seconds, as ``"1.5s"``."""
    total = message.seconds * 10**9 + message.nanos
    whole, rest = divmod(abs(total), 10**9)
    digits = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if total < 0 else ''}{whole}{digits}s"


def show_float(number: float) -> float | str:
    """A number that JSON has a way to write: a text where it is not finite."""
    if math.isfinite(number):
        return int(number) if number and number.is_integer() and -EXACT < number < EXACT else number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def show_struct(message: Any) -> dict[str, Any]:
    return {key: show_value(value) for key, value in message.fields.items()}


def show_list(message: Any) -> list[Any]:
    return [show_value(value) for value in message.values]


def show_value(message: Any) -> Any:
    match message.WhichOneof("kind"):
        case "string_value":
            return message.string_value
        case "number_value":
            return show_float(message.number_value)
        case "bool_value":
            return message.bool_value
        case "struct_value":
            return show_struct(message.struct_value)
        case "list_value":
            return show_list(message.list_value)
        case "null_value":
            return None
    # Python clients make such a value of an empty object; the official ones read it as that.
    return {}


# --- reading --------------------------------------------------------------------------------------


def fill_time(message: Any, value: Any, _depth: int) -> None:
    try:
        message.FromJsonString(text(value))
    except (ValueError, OverflowError):
        raise Wrong(f"is {shown(value)}; a time such as 2024-05-31T12:00:00Z (RFC 3339) is expected") from None


def fill_duration(message: Any, value: Any, _depth: int) -> None:
    try:
        message.FromJsonString(text(value))
    except (ValueError, OverflowError):
        raise Wrong(f'is {shown(value)}; seconds such as "1.5s" are expected') from None


def fill_struct(message: Any, value: Any, depth: int) -> None:
    if type(value) is not dict:
        raise Wrong(f"is {shown(value)}; an object is expected")
    # An empty object is one too, not the absence of one.
    message.SetInParent()
    if value and depth + 2 > MAX_DEPTH:
        raise too_deep()
    fields = message.fields
    for key, item in value.items():
        try:
            fill_value(fields[text(key)], item, depth + 2)
        except Wrong as e:
            raise e.at(named(key)) from None


def fill_list(message: Any, value: Any, depth: int) -> None:
    if type(value) is not list:
        raise Wrong(f"is {shown(value)}; a list is expected")
    message.SetInParent()
    if value and depth + 1 > MAX_DEPTH:
        raise too_deep()
    add = message.values.add
    for i, item in enumerate(value):
        try:
            fill_value(add(), item, depth + 1)
        except Wrong as e:
            raise e.at(i) from None


def fill_value(message: Any, value: Any, depth: int) -> None:
    if value is None:
        message.null_value = 0
    elif type(value) is bool:
        message.bool_value = value
    elif type(value) is str:
        message.string_value = text(value)
    elif type(value) in (int, float):
        number = float(value) if type(value) is float or value.bit_length() < 1024 else math.inf
        if not math.isfinite(number):
            raise Wrong("is too large for a number")
        message.number_value = number
    elif depth + 1 > MAX_DEPTH:
        raise too_deep()
    elif type(value) is dict:
        fill_struct(message.struct_value, value, depth + 1)
    else:
        fill_list(message.list_value, value, depth + 1)


Show = Callable[[Any], Any]
Fill = Callable[[Any, Any, int], None]
"""Fills a message that is empty from a value of JSON; the number is how deep the message lies. Raises `Wrong`."""

_G = "google.protobuf."
SHOWN: dict[str, Show] = {
    f"{_G}Timestamp": show_time,
    f"{_G}Duration": show_duration,
    f"{_G}Struct": show_struct,
    f"{_G}Value": show_value,
    f"{_G}ListValue": show_list,
}
FILLED: dict[str, Fill] = {
    f"{_G}Timestamp": fill_time,
    f"{_G}Duration": fill_duration,
    f"{_G}Struct": fill_struct,
    f"{_G}Value": fill_value,
    f"{_G}ListValue": fill_list,
}
_SCALARS: Iterable[str] = ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
WRAPPERS = frozenset(f"{_G}{name}Value" for name in _SCALARS)
"""Messages with one field ``value``, which JSON writes as that value alone."""
