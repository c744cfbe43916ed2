"""What a page asks for: parameters that come as text, once or several times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelwright.errors import InvalidRequest


def only(given: Mapping[str, Any], *names: str) -> None:
    """Refuse a parameter that nobody knows: a misspelt filter would show what was not asked for.

    Raises:
        InvalidRequest: there is one.
    """
    for name in given:
        if name not in names:
            raise InvalidRequest(f"there is no parameter {str(name)[:80]!r}; legal are: {', '.join(names)}")


def texts(given: Mapping[str, Any], name: str, *, most: int, longest: int) -> list[str]:
    """The values of a parameter that may come several times; empty ones are none.

    Raises:
        InvalidRequest: one is no text, or there are too many or too long ones.
    """
    value = given.get(name, "")
    values = [v for v in (value if isinstance(value, list) else [value]) if v != ""]
    if len(values) > most:
        raise InvalidRequest(f"{name} is given {len(values)} times; {most} at most are legal")
    for v in values:
        if not isinstance(v, str):
            raise InvalidRequest(f"{name} is {type(v).__name__}; a text is legal")
        if len(v) > longest:
            raise InvalidRequest(f"{name} has {len(v)} characters; {longest} at most are legal")
    return values


def text(given: Mapping[str, Any], name: str, *, longest: int) -> str:
    """The value of a parameter that comes once; "" where it is not given.

    Raises:
        InvalidRequest: it is no text, too long, or comes several times.
    """
    return next(iter(texts(given, name, most=1, longest=longest)), "")


def one_of(given: Mapping[str, Any], name: str, *legal: str) -> str:
    """The value of a parameter that is one of a few; "" where it is not given.

    Raises:
        InvalidRequest: it is none of them.
    """
    value = text(given, name, longest=256)
    if value and value not in legal:
        raise InvalidRequest(f"{name} is {value!r}; legal are: {', '.join(legal)}")
    return value


def number(given: Mapping[str, Any], name: str, usual: int, low: int, high: int) -> int:
    """The value of a parameter that is a whole number; ``usual`` where it is not given.

    Raises:
        InvalidRequest: it is no number from ``low`` to ``high``.
    """
    value = given.get(name, "")
    if value == "":
        return usual
    # The pages send numbers as text; a caller in this process may give one as it is.
    is_number = isinstance(value, int) and not isinstance(value, bool)
    digits = str(value) if is_number or isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 9 and low <= int(digits) <= high):
        raise InvalidRequest(f"{name} is {str(value)[:80]!r}; a whole number from {low} to {high} is legal")
    return int(digits)
