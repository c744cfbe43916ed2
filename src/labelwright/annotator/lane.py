"""The lane of long work: which kinds of jobs there are, and who carries each of them forward."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Row

from labelwright.config import Settings
from labelwright.media.blobs import BlobStore
from labelwright.store.engine import Store

TURN = 10.0
"""Seconds after which a job lets another have its turn."""

_MODULES = ("labelwright.annotator.rerun", "labelwright.training.jobs")
"""Who registers kinds of jobs; by name, since training is below this room, which only runs what it is given."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What the carriers of jobs share."""

    settings: Settings
    store: Store
    blobs: BlobStore


class Carrier(Protocol):
    """Carries jobs of one kind forward."""

    def carry(self, job: Row[Any], stop: Callable[[], bool] = ..., turn: float = ...) -> None:
        """Go on with a claimed job until it ends, ``stop`` says so, or its turn of seconds is over.

        What it has done is in the store at each moment, so that it goes on from there after a kill. Before it returns
        it ends the job (`jobs.end`), or gives its lease back (`queue.give_back`).
        """


_makers: dict[str, Callable[[Lane], Carrier]] = {}


def carries(kind: str, make: Callable[[Lane], Carrier]) -> None:
    """Register who carries jobs of a kind.

    Raises:
        ValueError: somebody else does.
    """
    if _makers.setdefault(kind, make) is not make:
        raise ValueError(f"jobs of kind {kind!r} have two carriers")


class Carriers:
    """The carriers of one process, each made when it is first needed."""

    def __init__(self, lane: Lane) -> None:
        for name in _MODULES:
            importlib.import_module(name)
        self._lane = lane
        self._made: dict[str, Carrier] = {}

    def of(self, kind: str) -> Carrier | None:
        """Who carries jobs of a kind; None where this release knows nobody."""
        if kind not in self._made and kind in _makers:
            self._made[kind] = _makers[kind](self._lane)
        return self._made.get(kind)
