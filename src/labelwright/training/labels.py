"""What trains: the labels of an app and the vectors of the inputs that they are about, as arrays.

A success annotation is a label. From a model it is a positive one, whatever the score; from a person a value above 0
is positive and a value of 0 negative. Where both speak of the same concept of an input, the person is right; of
several people, who spoke last; of several models, any that says yes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from labelwright.store import draws, training_labels
from labelwright.store import tables as t

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Labels:
    """What is said of each input, with or without a vector."""

    inputs: npt.NDArray[np.int64]
    """(n,) keys of the inputs that have at least one label, ascending."""
    labels: Floats
    """(n, c): 1 the input shows the concept, 0 it does not, nan nobody said."""
    by_people: npt.NDArray[np.bool_]
    """(n, c): whether a person said it."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled inputs with their vectors."""

    inputs: npt.NDArray[np.int64]
    """(n,) keys of inputs, ascending."""
    vectors: Floats
    """(n, d); (0, 0) where no labelled input has a vector."""
    labels: Floats
    """(n, c): 1 the input shows the concept, 0 it does not, nan nobody said; columns as the concepts were given."""
    by_people: npt.NDArray[np.bool_]
    """(n, c): whether a person said it."""
    missing: npt.NDArray[np.int64]
    """(m,) keys of labelled inputs that have no vector of this embedder (yet), ascending."""


def load(
    conn: Connection,
    app_pk: int,
    concepts: Sequence[str],
    embedder: str,
    *,
    train_on_verified: bool = False,
    people_only: bool = False,
) -> Labelled:
    """The app's labels of these concepts, with the vectors of one embedder.

    Args:
        concepts: ids; one that the app does not have is a column of nan.
        embedder: the id of the embedder's version, as in the table of embeddings.
        train_on_verified: with the inputs that were drawn at random to be verified. What a version has learned from
            is no evidence about it, so they are left out.
        people_only: only what people said.
    """
    said = spoken_of(conn, app_pk, concepts, train_on_verified=train_on_verified, people_only=people_only)
    found = vectors_of(conn, said.inputs.tolist(), embedder)
    have = np.fromiter((int(pk) in found for pk in said.inputs), dtype=bool, count=len(said.inputs))
    inputs = said.inputs[have]
    rows = [found[int(pk)] for pk in inputs]
    return Labelled(
        inputs=inputs,
        vectors=np.stack(rows) if rows else np.empty((0, 0), np.float32),
        labels=said.labels[have],
        by_people=said.by_people[have],
        missing=said.inputs[~have],
    )


def spoken_of(
    conn: Connection,
    app_pk: int,
    concepts: Sequence[str],
    *,
    train_on_verified: bool = False,
    people_only: bool = False,
) -> Labels:
    """What may train, whether the inputs have vectors or not; arguments as of `load`."""
    said = labels_of(conn, app_pk, concepts)
    labels, by_people = said.labels, said.by_people
    if people_only:
        labels = np.where(by_people, labels, np.float32(np.nan))
    kept = ~np.isnan(labels).all(1)
    if not train_on_verified:
        kept &= ~np.isin(said.inputs, sorted(draws.inputs_of(conn, app_pk, draws.VERIFY)))
    return Labels(said.inputs[kept], labels[kept], by_people[kept])


def labels_of(conn: Connection, app_pk: int, concepts: Sequence[str]) -> Labels:
    """The app's labels of these concepts, whether their inputs have vectors or not."""
    keys = training_labels.concept_keys(conn, app_pk, concepts)
    column = {keys[concept]: number for number, concept in enumerate(concepts) if concept in keys}
    words: dict[tuple[int, int], tuple[bool, int, int, float]] = {}
    for row in training_labels.spoken(conn, app_pk, column):
        place = (row.input, column[row.concept])
        word = _word(row)
        if place not in words or word > words[place]:
            words[place] = word
    inputs = np.array(sorted({pk for pk, _ in words}), dtype=np.int64)
    number = {int(pk): i for i, pk in enumerate(inputs)}
    labels = np.full((len(inputs), len(concepts)), np.nan, np.float32)
    by_people = np.zeros((len(inputs), len(concepts)), bool)
    for (pk, concept), (person, _, _, value) in words.items():
        labels[number[pk], concept] = value
        by_people[number[pk], concept] = person
    return Labels(inputs, labels, by_people)


def vectors_of(conn: Connection, inputs: Sequence[int], embedder: str) -> Mapping[int, Floats]:
    """Input key to its vector (d,); all of one length: those of another are as good as none."""
    found = {pk: np.frombuffer(raw, dtype="<f4") for pk, raw in training_labels.vectors(conn, inputs, embedder)}
    lengths = [len(v) for v in found.values()]
    usual = max(set(lengths), key=lengths.count) if lengths else 0
    return {pk: v.astype(np.float32) for pk, v in found.items() if len(v) == usual and np.isfinite(v).all()}


def concepts_with_labels(conn: Connection, app_pk: int) -> list[str]:
    """The ids of the app's concepts that have a label, oldest concept first."""
    return training_labels.labelled(conn, app_pk)


def concepts_with_positives(
    conn: Connection, app_pk: int, *, train_on_verified: bool = False, people_only: bool = False
) -> list[str]:
    """Those of `concepts_with_labels` that some input shows that may train; arguments as of `load`."""
    ids = concepts_with_labels(conn, app_pk)
    said = spoken_of(conn, app_pk, ids, train_on_verified=train_on_verified, people_only=people_only)
    shown = (said.labels == 1).any(0)
    return [concept for concept, one in zip(ids, shown, strict=True) if one]


def all_vectors(conn: Connection, app_pk: int, embedder: str) -> tuple[npt.NDArray[np.int64], Floats]:
    """The vectors of all inputs of an app that have one of this embedder: keys (n,), ascending, and (n, d)."""
    found = dict(sorted(vectors_of(conn, training_labels.with_vector(conn, app_pk, embedder), embedder).items()))
    rows = list(found.values())
    return np.array(list(found), np.int64), np.stack(rows) if rows else np.empty((0, 0), np.float32)


def exclusive(labels: Floats) -> Floats:
    """Labels of concepts of which each input has one: where one is positive, those that nobody spoke of are not."""
    out = labels.copy()
    out[(labels == 1).any(1)[:, None] & np.isnan(labels)] = 0
    return out


_one_of_many = exclusive


def examples(
    conn: Connection,
    app_pk: int,
    concepts: Sequence[str],
    embedder: str,
    *,
    exclusive: bool,
    closed: bool = False,
    train_on_verified: bool = False,
    people_only: bool = False,
) -> Labelled:
    """What a model learns these concepts from: as `load`, and what follows from the labels where nobody spoke.

    Of ``exclusive`` concepts an input that shows one shows none of the others. Else, unless ``closed``, a concept
    that nobody said no to is taken not to be there on inputs that are labelled with others, listed here or not:
    people who label say what they see, and seldom what they don't. Where somebody said no to it, only what was said
    counts. Inputs of which nothing is known are left out.
    """
    which = {"train_on_verified": train_on_verified, "people_only": people_only}
    if exclusive or closed:
        found = load(conn, app_pk, concepts, embedder, **which)
        labels = _one_of_many(found.labels) if exclusive else found.labels
        return replace(found, labels=labels)
    more = [c for c in concepts_with_labels(conn, app_pk) if c not in set(concepts)]
    found = load(conn, app_pk, [*concepts, *more], embedder, **which)
    said, n = found.labels, len(concepts)
    labels = said[:, :n].copy()
    # Those that somebody said no to are known well enough.
    quiet = ~(labels == 0).any(0)
    labels[np.isnan(labels) & quiet & (said == 1).any(1)[:, None]] = 0
    known = ~np.isnan(labels).all(1)
    return Labelled(found.inputs[known], found.vectors[known], labels[known], found.by_people[known, :n], found.missing)


def _word(row: Any) -> tuple[bool, int, int, float]:
    """What a row says, so that the word that counts is the greatest: who, when, value."""
    if row.origin == t.MODEL:
        return (False, 0, 0, 1.0)
    return (True, row.modified_at, row.pk, 1.0 if row.value > 0 else 0.0)
