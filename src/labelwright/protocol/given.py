"""What the review pages' calls are given, as JSON or as an address's parameters: looked at field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelwright.errors import InvalidRequest
from labelwright.store.review_items import Place

Given = Mapping[str, Any]

TEXT = 256
"""Characters that an id or a name may have."""


def text(given: Given, name: str, *, most: int = TEXT) -> str | None:
    """A text; None where it is missing or empty.

    Raises:
        InvalidRequest: it is no text, too long, or can't be printed.
    """
    value = given.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} is a {_kind(value)}; a text is legal")
    if len(value) > most:
        raise InvalidRequest(f"{name} has {len(value)} characters; {most} at most are legal")
    if not value.isprintable():
        raise InvalidRequest(f"{name} holds a character that can't be printed")
    return value


def needed(given: Given, name: str, *, most: int = TEXT) -> str:
    """A text that must be there.

    Raises:
        InvalidRequest: as `text`, or it is missing.
    """
    value = text(given, name, most=most)
    if value is None:
        raise InvalidRequest(f"{name} is missing")
    return value


def texts(given: Given, name: str, *, most: int) -> list[str]:
    """Several texts, or one; none where nothing is given.

    Raises:
        InvalidRequest: they are no texts, or too many.
    """
    value = given.get(name)
    if value is None or value == "":
        return []
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, Sequence):
        raise InvalidRequest(f"{name} is a {_kind(value)}; a text or a list of them is legal")
    if len(values) > most:
        raise InvalidRequest(f"{len(values)} of {name} given; {most} at most are legal")
    return [needed({name: v}, name) for v in values]


def one_of(given: Given, name: str, legal: Sequence[str]) -> str:
    """One of a few words; the first of them where nothing is given.

    Raises:
        InvalidRequest: it is another.
    """
    value = text(given, name)
    if value is None:
        return legal[0]
    if value not in legal:
        raise InvalidRequest(f"{name} is {value!r}; legal are {', '.join(legal)}")
    return value


def number(given: Given, name: str, low: float, high: float) -> float | None:
    """A number; None where it is missing. A text that says one is taken.

    Raises:
        InvalidRequest: it is none, or not within the bounds.
    """
    value: Any = given.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        said, value = value, None
        try:
            value = float(said)
        except ValueError:
            raise InvalidRequest(f"{name} is {said[:40]!r}; a number from {low:g} to {high:g} is legal") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"{name} is a {_kind(value)}; a number from {low:g} to {high:g} is legal")
    # Compared first: a whole number beyond every float, which JSON may hold, can't become one, not even to be shown.
    if not low <= value <= high:
        raise InvalidRequest(f"{name} is {str(value)[:40]}; {low:g} to {high:g} are legal")
    return value


def whole(given: Given, name: str, low: int, high: int) -> int | None:
    """As `number`, of those without a fraction."""
    value = number(given, name, low, high)
    if value is None:
        return None
    if value != int(value):
        raise InvalidRequest(f"{name} is {value:g}; a whole number is legal")
    return int(value)


def objects(given: Given, name: str, *, most: int) -> list[Mapping[str, Any]]:
    """A list of 1 to ``most`` JSON objects.

    Raises:
        InvalidRequest: it is none.
    """
    value = given.get(name)
    if not isinstance(value, list) or not all(isinstance(v, Mapping) for v in value):
        raise InvalidRequest(f"{name} is to be a list of JSON objects")
    if not 1 <= len(value) <= most:
        raise InvalidRequest(f"{len(value)} of {name} given; 1 to {most} are legal")
    return value


def items(given: Given, name: str, *, most: int) -> list[str]:
    """Names of items, ``<annotation id>.<position>``, each once.

    Raises:
        InvalidRequest: one is none, or they are too many.
    """
    found = list(dict.fromkeys(texts(given, name, most=most)))
    for item in found:
        if split(item) is None:
            raise InvalidRequest(f"{name} holds {item!r}; an item is called <annotation id>.<position>")
    return found


def split(item: str) -> tuple[str, int] | None:
    """The annotation's id and the position that an item's name says; None where it is no item's name."""
    annotation_id, _, position = item.rpartition(".")
    if not annotation_id or not (position.isascii() and position.isdecimal() and len(position) <= 9):
        return None
    # By another spelling of the number the same item would be another one to whoever compares names.
    return (annotation_id, int(position)) if str(int(position)) == position else None


def places(names: Sequence[str], keys: Mapping[str, int]) -> dict[Place, str]:
    """The items that can be, by annotation's key and position; ``keys``: annotation id to key."""
    parts = {name: split(name) for name in names}
    return {(keys[p[0]], p[1]): name for name, p in parts.items() if p is not None and p[0] in keys}


def tab(given: Given) -> str:
    """The browser tab that asks.

    Raises:
        InvalidRequest: it is missing or too long.
    """
    return needed(given, "tab", most=64)


def _kind(value: Any) -> str:
    kinds = {dict: "JSON object", list: "list", bool: "truth value", int: "number", float: "number", str: "text"}
    return kinds.get(type(value), type(value).__name__)
