"""What travels between the nodes of a workflow."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from clarifai_grpc.grpc.api.resources_pb2 import Data

Pixels = npt.NDArray[np.uint8]
"""An image: uint8 RGB of shape (height, width, 3)."""
Vectors = npt.NDArray[np.float32]
"""Embeddings: float32 of shape (n, dimensions)."""


class Source:
    """The inputs that a workflow runs on, and what they hold, each thing decoded or computed at most once.

    Args:
        data: one message an input; media bytes need not be in it.
        pixels: the decoded image of each input, None where it has none.
        ids: the inputs' ids, for messages and for operators that look a thing up by it.
    """

    def __init__(
        self,
        data: Sequence[Data],
        pixels: Sequence[Pixels | None] | None = None,
        ids: Sequence[str] | None = None,
    ) -> None:
        self.data = list(data)
        self.pixels = list(pixels) if pixels is not None else [None] * len(self.data)
        self.ids = list(ids) if ids is not None else [""] * len(self.data)
        self._memo: dict[tuple[Hashable, int], Any] = {}

    def __len__(self) -> int:
        return len(self.data)

    def once(self, what: Hashable, rows: Sequence[int], compute: Callable[[list[int]], Sequence[Any]]) -> list[Any]:
        """The values of ``what`` for these rows; ``compute`` is asked only for rows not seen before.

        This is how two nodes share a backbone: whoever comes first pays.
        """
        missing = [r for r in rows if (what, r) not in self._memo]
        if missing:
            for row, value in zip(missing, compute(missing), strict=True):
                self._memo[what, row] = value
        return [self._memo[what, r] for r in rows]


@dataclass(slots=True)
class Batch:
    """The items that reached a node: those for which a predecessor had something to hand on."""

    source: Source
    rows: list[int]
    """Which inputs of the source these are."""
    data: list[Data]
    """What the predecessors handed on, merged; the input itself for a node without predecessors."""
    vectors: Vectors | None = None
    """Embeddings of the whole inputs that a predecessor computed."""

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self) -> list[Pixels | None]:
        """The decoded images, by item."""
        return [self.source.pixels[r] for r in self.rows]


@dataclass(frozen=True, slots=True)
class Draft:
    """An annotation that a writer proposes. Only the annotator makes rows of drafts."""

    data: Data
    status_code: int
    user_id: str
    """In whose name; "" means the app's owner."""
    annotation_info: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Output:
    """What a node made, by item of its batch."""

    data: list[Data | None]
    """None: nothing is handed on, the nodes behind do not run for this item."""
    vectors: Vectors | None = None
    drafts: list[list[Draft]] | None = None


Operator = Callable[[Batch], Output]
"""A pure function: it leaves the messages of its batch as they are, since other nodes and drafts hold them too."""


@dataclass(frozen=True, slots=True)
class ConceptRef:
    """A concept, wherever it lives."""

    user_id: str
    app_id: str
    id: str
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Relation:
    """``subject predicate object``: "honey hyponym food" says that honey is a kind of food."""

    subject: ConceptRef
    predicate: str
    object: ConceptRef
    knowledge_graph_id: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What operators may know of the app that they work for, as of one moment."""

    user_id: str
    app_id: str
    relations: tuple[Relation, ...] = ()
    people: frozenset[str] = frozenset()
    """The owner and the collaborators."""
