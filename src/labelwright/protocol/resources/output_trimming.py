"""What a client gets to see of the concepts in a reply: the best ones, those asked for, in the language asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api import resources_pb2
from sqlalchemy import Connection

from labelwright.store import concept_languages

DEFAULT_CONCEPTS = 20

Name = tuple[str, str, str]
"""Owner, app id and concept id."""


@dataclass(frozen=True, slots=True)
class Trim:
    """How concepts are cut down, in the whole and in each region and frame by itself."""

    most: int = DEFAULT_CONCEPTS
    min_value: float = 0.0
    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Where either holds anything, only these concepts are shown."""

    def wants(self, concept: resources_pb2.Concept) -> bool:
        """Whether a concept is shown, if there is room."""
        # Said so that a score that is no number fails too.
        if not concept.value >= self.min_value:
            return False
        return not (self.ids or self.names) or concept.id in self.ids or concept.name in self.names


def trim_of(own: resources_pb2.OutputConfig, asked: resources_pb2.OutputConfig) -> Trim:
    """What a model version and a request say together; of each field the request's counts where it sets it.

    The version's ``min_value`` is left out: what does not reach it is no prediction, and never came so far.
    """
    selected = asked.select_concepts or own.select_concepts
    return Trim(
        asked.max_concepts or own.max_concepts or DEFAULT_CONCEPTS,
        asked.min_value,
        frozenset(c.id for c in selected if c.id),
        frozenset(c.name for c in selected if c.name),
    )


def trim(data: resources_pb2.Data, by: Trim) -> bool:
    """Cut the concepts down; regions and frames of which nothing is left go too.

    Returns:
        False where nothing is left of what the data said.
    """
    said = _says(data)
    kept = sorted((c for c in data.concepts if by.wants(c)), key=lambda c: -c.value)[: by.most]
    if kept != list(data.concepts):
        copies = [_copy(c) for c in kept]
        del data.concepts[:]
        data.concepts.extend(copies)
    for parts in _parts(data):
        for i in reversed([i for i, part in enumerate(parts) if not trim(part.data, by)]):
            del parts[i]
    return not said or _says(data)


def _parts(data: resources_pb2.Data) -> tuple[Any, Any]:
    return data.regions, data.frames


def _says(data: resources_pb2.Data) -> bool:
    return bool(data.concepts or data.regions or data.frames)


def _copy(concept: resources_pb2.Concept) -> resources_pb2.Concept:
    copy = resources_pb2.Concept()
    copy.CopyFrom(concept)
    return copy


def unknown(
    selected: Iterable[resources_pb2.Concept], known: Iterable[resources_pb2.Concept]
) -> list[resources_pb2.Concept]:
    """Those of the selected concepts that are none of the known ones, by id or by exact name."""
    concepts = list(known)
    ids, names = {c.id for c in concepts if c.id}, {c.name for c in concepts if c.name}
    return [c for c in selected if c.id not in ids and c.name not in names]


def translate(conn: Connection, given: Iterable[resources_pb2.Data], language: str, home: tuple[str, str]) -> None:
    """Put the names that concepts have in a language into them; who has none there keeps its own.

    Args:
        home: owner and id of the app whose concept is meant where one names no app.
    """
    concepts = [concept for data in given for concept in _concepts(data)]
    named = {i: _name(c, home) for i, c in enumerate(concepts)}
    found = concept_languages.of_names(conn, set(named.values()), language)
    for i, concept in enumerate(concepts):
        if (row := found.get(named[i])) is not None:
            concept.name, concept.language = row.name, language


def _name(concept: resources_pb2.Concept, home: tuple[str, str]) -> Name:
    return concept.user_id or home[0], concept.app_id or home[1], concept.id


def _concepts(data: resources_pb2.Data) -> Iterator[resources_pb2.Concept]:
    yield from data.concepts
    for parts in _parts(data):
        for part in parts:
            yield from _concepts(part.data)
