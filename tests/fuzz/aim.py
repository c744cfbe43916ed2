"""Requests that are random and yet meet something: random ids alone would only ever find nothing."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from PIL import Image


def _picture() -> str:
    made = BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


PICTURE = _picture()

CHOSEN: Mapping[str, Sequence[Any]] = {
    "action": ("merge", "overwrite", "remove", "delete", "cancel"),
    # Nobody listens there. An address of elsewhere is never sent: the server would go and fetch it.
    "url": ("http://127.0.0.1:9/picture.png", "ftp://127.0.0.1:9/x", "//", "http://"),
    "base64": (PICTURE, "", "AAAA"),
    "raw": ("some words", "", "\x00"),
    "model_type_id": ("concept-threshold", "annotation-writer", "concept-synonym-mapper", "odd-classifier"),
    "predicate": ("synonym", "hypernym", "hyponym"),
    "per_page": (0, 1, 2, 1000, 1001),
    "page": (0, 1, 2, 2**32 - 1),
    "scopes": (["All"], ["Inputs_Get"], ["Nothing_Such"]),
}
"""By the name of a field: values that mean something there."""

ODD: Sequence[Any] = (
    *(None, True, -1, 0, 1.5, 2**31, 2**53, 2**64, -(2**63) - 1, 1e308, 1e-320),
    *("", "\x00", "a\u0301", "\ud800", "x" * 5000, "NaN", "-Infinity", "9" * 30, "2024-02-30T00:00:00Z", "../.."),
    *([], {}, [[]], [None], {"": None}, {"id": []}, [{}] * 200, ["a"] * 2000),
)
"""Values that seldom fit."""

ODD_TEXTS = ("", "\x00", "true", "-1", "9" * 30, "x", "1.5")
"""The same for queries, where all is text."""


class Aim:
    """Turns what was made from a schema alone into a request that nearly works.

    Args:
        seed: decides everything.
        pool: ids that there are, by the name of the field that holds them; under "id" all of them.
    """

    def __init__(self, seed: int, pool: Mapping[str, Sequence[str]]) -> None:
        self._random = random.Random(seed)
        self._pool = pool

    def path(self, name: str, good: str, made: str) -> str:
        """A variable of a path."""
        dice = self._random.random()
        return good if dice < 0.8 else self._id(name) if dice < 0.9 else made

    def body(self, good: Any, made: Any) -> Any:
        """A body: what was made, or what goes well with parts of it; now and then with an odd value somewhere."""
        made = self._aimed("", made)
        if self._random.random() < 0.7:
            made = self._grafted(good, made)
        return self._spoiled(made) if self._random.random() < 0.2 else made

    def query(self, good: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
        """A query, likewise."""
        aimed = {name: self._aimed(name.rpartition(".")[2], value) for name, value in made.items()}
        query = {**good, **{n: v for n, v in aimed.items() if n not in good or self._random.random() < 0.2}}
        if query and self._random.random() < 0.1:
            query[self._random.choice(list(query))] = self._random.choice(ODD_TEXTS)
        return query

    def _aimed(self, name: str, value: Any) -> Any:
        if name in CHOSEN and self._random.random() < 0.7:
            return self._random.choice(CHOSEN[name])
        if isinstance(value, dict):
            return {k: self._aimed(k, v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._aimed(name.removesuffix("s"), v) for v in value]
        if isinstance(value, str) and (name == "id" or name.endswith("_id")) and self._random.random() < 0.6:
            return self._id(name)
        return value

    def _id(self, name: str) -> str:
        return self._random.choice(self._pool.get(name) or self._pool["id"])

    def _grafted(self, good: Any, made: Any) -> Any:
        """What goes well, with a part of what was made beside it or in its place."""
        if isinstance(good, dict) and isinstance(made, dict):
            shared = {k: self._grafted(v, made[k]) if k in made else v for k, v in good.items()}
            return {**{k: v for k, v in made.items() if k not in good and self._random.random() < 0.5}, **shared}
        if isinstance(good, list) and isinstance(made, list) and good and made:
            return [self._grafted(good[at % len(good)], each) for at, each in enumerate(made)]
        return made if self._random.random() < 0.2 else good

    def _spoiled(self, value: Any) -> Any:
        """The same with an odd value in place of one of its parts."""
        inner = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if _is_list(value) else []
        if not inner or self._random.random() < 0.2:
            return self._random.choice(ODD)
        at, part = self._random.choice(inner)
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[at] = self._spoiled(part)
        return copy


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
