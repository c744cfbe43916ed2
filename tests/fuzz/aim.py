"""Making random requests meet what is there, and spoiling others: a request of random ids only ever finds nothing."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from PIL import Image

APP = "fuzz"

Pool = Mapping[str, Sequence[str]]
"""Ids that exist: by the name of the field that holds them, ``concept_id``; under "id" all of them."""


def _picture() -> str:
    made = BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(made, "PNG")
    return base64.b64encode(made.getvalue()).decode()


CHOSEN: Mapping[str, Sequence[Any]] = {
    "action": ("merge", "overwrite", "remove", "delete", "cancel"),
    # Nobody listens there. An address of elsewhere is never sent: the server would go and fetch it.
    "url": ("http://127.0.0.1:9/picture.png", "ftp://127.0.0.1:9/x", "//", "http://"),
    "base64": (_picture(), "", "AAAA"),
    "raw": ("some words", "", "\x00"),
    "model_type_id": ("concept-threshold", "annotation-writer", "concept-synonym-mapper", "visual-classifier"),
    "predicate": ("synonym", "hypernym", "hyponym"),
    "per_page": (0, 1, 2, 1000, 1001),
    "page": (0, 1, 2, 2**32 - 1),
    "sample_ms": (0, 1000),
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
    """Replaces a part of a request's values."""

    def __init__(self, seed: int, pool: Pool) -> None:
        self._random = random.Random(seed)
        self._pool = pool

    def path(self, name: str, value: str) -> str:
        """A variable of a path: nearly always one that leads somewhere."""
        return str(self._id(name)) if self._random.random() < 0.9 else value

    def body(self, value: Any) -> Any:
        """A body, with ids that are there, and now and then an odd value somewhere."""
        aimed = self._aimed("", value)
        return self._spoiled(aimed) if self._random.random() < 0.2 else aimed

    def query(self, query: Mapping[str, Any]) -> dict[str, Any]:
        """A query, likewise. The user and the app are those that are there, where it may name them at all."""
        made = {name: self._aimed(name.rpartition(".")[2], value) for name, value in query.items()}
        if made and self._random.random() < 0.1:
            made[self._random.choice(list(made))] = self._random.choice(ODD_TEXTS)
        return made

    def _aimed(self, name: str, value: Any) -> Any:
        if name == "user_app_id" and self._random.random() < 0.9:
            return {"user_id": "me", "app_id": APP}
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
        known = self._pool.get(name) or self._pool["id"]
        return self._random.choice(known)

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
