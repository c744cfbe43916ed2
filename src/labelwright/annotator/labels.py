"""Between an annotation's Data and the store, where concepts are rows and the rest is opaque bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

WHOLE = -1
"""The slot of what is said of the whole input."""


class Label(NamedTuple):
    """One concept in an annotation."""

    slot: int
    """Where it stands: WHOLE, or the number of the region or frame in the order of `places`."""
    concept_id: str
    name: str
    value: float


def places(data: Data) -> Iterator[Data]:
    """Every Data in which concepts may stand: the whole, its regions, its frames and their regions, in order."""
    yield data
    for region in data.regions:
        yield region.data
    for frame in data.frames:
        yield frame.data
        for region in frame.data.regions:
            yield region.data


def take_apart(data: Data) -> tuple[bytes, list[Label]]:
    """The bytes of ``data`` without its concepts, and the concepts."""
    if not data.regions and not data.frames:
        # The common case, of concepts for the whole input and little else, without walking and copying.
        found = [Label(WHOLE, c.id, c.name, c.value) for c in data.concepts]
        if len(data.ListFields()) == bool(found):
            return b"", found
    found = [
        Label(slot, c.id, c.name, c.value) for slot, part in enumerate(places(data), start=WHOLE) for c in part.concepts
    ]
    if found:
        copy = Data()
        copy.CopyFrom(data)
        for part in places(copy):
            # Clearing makes a region's data present where it was not.
            if part.concepts:
                part.ClearField("concepts")
        data = copy
    return data.SerializeToString(deterministic=True), found


def put_together(wire: bytes, concepts: Iterable[tuple[int, Concept]]) -> Data:
    """The inverse of `take_apart`: concepts come as slot and message, in the order that they shall have."""
    data = Data.FromString(wire)
    by_slot = list(places(data))
    for slot, concept in concepts:
        # A slot beyond the end can't come from take_apart; it is dropped rather than failing a whole page.
        if slot + 1 < len(by_slot):
            by_slot[slot + 1].concepts.append(concept)
    return data
