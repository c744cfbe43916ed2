"""Single values on their way from JSON: what is legal for each type of field, and what is said where it is not."""

from __future__ import annotations

import binascii
import json
import math
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

Read = Callable[[Any], Any]
"""From a value of JSON to one that a message's field takes. Raises `Wrong`."""

FLOAT32_LIMIT = 3.4028235677973366e38
"""From here on a number rounds to infinity as a 32-bit float."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_DATA_URL = re.compile(r"data:[^,]{0,256};base64,", re.IGNORECASE)
_WHITE = re.compile(r"[ \t\r\n]+")
_LONG_NAME = 60
_MANY_NAMES = 16
"""Names of an enum that an error lists; `StatusCode` has hundreds."""


class Wrong(Exception):
    """A value that does not fit its place. ``where``: the names and indexes that lead there, innermost first."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.where: list[str | int] = []

    def at(self, step: str | int) -> Wrong:
        """The same, one step further out."""
        self.where.append(step)
        return self

    def __str__(self) -> str:
        path = ""
        for step in reversed(self.where):
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        return f"{path} {self.what}" if path else f"the body {self.what}"


def shown(value: Any) -> str:
    """A value as an error names it, shortened."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and len(value) > _LONG_NAME:
        value = value[:_LONG_NAME] + "…"
    return json.dumps(value)[:100]


def named(key: str) -> str:
    """A key of a client's own as an error names it."""
    return key if key.isprintable() and len(key) <= _LONG_NAME else shown(key)


def text(value: Any) -> str:
    if type(value) is not str:
        raise Wrong(f"is {shown(value)}; a text is expected")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Wrong("holds half of a surrogate pair (\\ud800 to \\udfff), which is no character") from None
    return value


def boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise Wrong(f"is {shown(value)}; true or false is expected")


def integer(low: int, high: int) -> Read:
    """Reads integers from ``low`` to ``high``: as numbers, also 2.0, or as texts."""

    def read(value: Any) -> int:
        if type(value) is int:
            number = value
        elif (type(value) is float and value.is_integer()) or (type(value) is str and _INTEGER.fullmatch(value)):
            number = int(value)
        else:
            raise Wrong(f"is {shown(value)}; an integer is expected")
        if not low <= number <= high:
            raise Wrong(f"is {shown(value)}; legal are {low} to {high}")
        return number

    return read


def floating(limit: float) -> Read:
    """Reads numbers nearer to 0 than ``limit``: as numbers or as texts, there also "NaN" and "Infinity"."""

    def read(value: Any) -> float:
        if type(value) is float:
            number = value
        elif type(value) is int:
            number = float(value) if value.bit_length() < 1024 else math.inf
        elif type(value) is str and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        elif type(value) is str and _NUMBER.fullmatch(value):
            number = float(value)
        else:
            raise Wrong(f"is {shown(value)}; a number is expected")
        if not -limit < number < limit:
            raise Wrong(
                f"is {shown(value) if math.isfinite(number) else 'too large'}; numbers there end at {limit:.8g}"
            )
        return number

    return read


def octets(value: Any) -> bytes:
    """Base64, standard or URL-safe, with or without padding and white space, also with the head of a data URL."""
    if type(value) is not str:
        raise Wrong(f"is {shown(value)}; bytes in base64 are expected")
    given: str = value
    if given[:5].lower() == "data:":
        head = _DATA_URL.match(given)
        if head is None:
            raise Wrong("begins as a data URL, but not as one in base64: data:<type>;base64,<bytes> is expected")
        given = given[head.end() :]
    if "-" in given or "_" in given:
        given = given.replace("-", "+").replace("_", "/")
    if "\n" in given or " " in given:
        given = _WHITE.sub("", given)
    given = given.rstrip("=")
    try:
        return binascii.a2b_base64(given + "=" * (-len(given) % 4), strict_mode=True)
    except ValueError:
        raise Wrong(f"is {shown(value)}; that is no base64") from None


def enumerated(kind: EnumDescriptor) -> Read:
    """Reads an enum's values by name or number; a number that this server does not know is kept, as over gRPC."""
    by_name = {name: value.number for name, value in kind.values_by_name.items()}
    number = integer(-(2**31), 2**31 - 1)

    def read(value: Any) -> int:
        if type(value) is str and value in by_name:
            return by_name[value]
        if type(value) is str and not _INTEGER.fullmatch(value):
            names = ", ".join(by_name) if len(by_name) <= _MANY_NAMES else f"the names of {kind.name}"
            raise Wrong(f"is {shown(value)}; legal are {names}, or the number")
        result: int = number(value)
        return result

    return read


_INT32 = integer(-(2**31), 2**31 - 1)
_INT64 = integer(-(2**63), 2**63 - 1)
_UINT32 = integer(0, 2**32 - 1)
_UINT64 = integer(0, 2**64 - 1)

_READERS: dict[int, Read] = {
    FieldDescriptor.TYPE_STRING: text,
    FieldDescriptor.TYPE_BYTES: octets,
    FieldDescriptor.TYPE_BOOL: boolean,
    FieldDescriptor.TYPE_FLOAT: floating(FLOAT32_LIMIT),
    FieldDescriptor.TYPE_DOUBLE: floating(math.inf),
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}


def reader(field: FieldDescriptor) -> Read:
    """How one value of a field that holds no messages is read."""
    if field.enum_type is not None:
        return enumerated(field.enum_type)
    return _READERS[field.type]
