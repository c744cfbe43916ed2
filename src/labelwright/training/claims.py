"""What a model claims of an app's inputs: which concepts it sees in them, and how sure it is.

A claim is what a threshold decides about: a concept of an input, with the score that the workflow's thresholders
would compare. A head whose concepts exclude each other makes one claim of an input, that of its highest score; any
other model makes a claim for each concept whose score reaches the floor below which nothing is a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from clarifai_grpc.grpc.api.status import status_code_pb2
from sqlalchemy import Connection, Row

from labelwright.annotator import plans
from labelwright.errors import InvalidRequest, ModelDoesNotExist, ModelUntrained
from labelwright.media.blobs import BlobStore
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.operators.heads import Head
from labelwright.store import apps, concepts, draws, models, trainings
from labelwright.training import route
from labelwright.training.route import Route

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

CHUNK = 4096
"""Vectors that are scored at once."""


@dataclass(frozen=True)
class Subject:
    """A model version whose thresholds are in question."""

    app: Row[Any]
    version: Row[Any]
    """Joined with its model, as `models.versions_by_pk` has it."""
    route: Route | None
    """Its way to the thresholders; None where the default workflow does not run the model."""
    concepts: tuple[str, ...]
    """The ids of the app's concepts that it may claim, and that the thresholds are for."""
    exclusive: bool
    """An input shows one of them at most, and gets one claim."""
    head: Head | None = None
    embedder: str = ""
    becomes: tuple[tuple[int, ...], ...] = ()
    """For each concept of the head the numbers of those that it becomes on the way to the thresholders."""
    floor: float = plans.FLOOR

    @cached_property
    def number(self) -> dict[str, int]:
        """Concept id to its number."""
        return {concept: i for i, concept in enumerate(self.concepts)}


@dataclass(frozen=True, slots=True)
class Claims:
    """Arrays of one length."""

    inputs: Ints
    """Keys."""
    concepts: Ints
    """Numbers of the subject's concepts."""
    scores: Floats

    def __len__(self) -> int:
        return len(self.inputs)

    def those(self, which: npt.NDArray[np.bool_]) -> Claims:
        """Some of them."""
        return Claims(self.inputs[which], self.concepts[which], self.scores[which])


def subject(conn: Connection, blobs: BlobStore, app: Row[Any], model_id: str, version_id: str = "") -> Subject:
    """A model of the app, or a public one, as its thresholds see it.

    Args:
        version_id: "" for its newest version that is trained.

    Raises:
        ModelDoesNotExist: there is no such model or version.
        InvalidRequest: its way to its thresholders is not clear: see `route.find`.
    """
    home = app
    row = models.get(conn, app.pk, model_id)
    if row is None:
        public = apps.get(conn, PUBLIC_USER, PUBLIC_APP)
        home = public if public is not None else app
        row = models.get(conn, home.pk, model_id)
    if row is None:
        raise ModelDoesNotExist(f"neither app {app.id!r} nor {PUBLIC_USER}/{PUBLIC_APP} has a model {model_id!r}")
    if version_id:
        found = models.version(conn, row.pk, version_id)
    else:
        page = models.version_page(conn, row.pk, offset=0, limit=1, status_code=status_code_pb2.MODEL_TRAINED)
        found = page[0] if page else None
    if found is None:
        wanted = f"no version {version_id!r}" if version_id else "no trained version"
        raise ModelDoesNotExist(f"model {model_id!r} has {wanted}")
    return of_version(conn, blobs, app, models.versions_by_pk(conn, [found.pk])[found.pk])


def of_version(conn: Connection, blobs: BlobStore, app: Row[Any], version: Row[Any]) -> Subject:
    """A model version (a row of `models.versions_by_pk`) as its thresholds see it.

    Raises:
        InvalidRequest: its way to its thresholders is not clear: see `route.find`.
    """
    way = route.find(conn, app, model=version.model)
    trained = trainings.get(conn, version.pk)
    if trained is None:
        known = [*(way.above.thresholds if way else ()), *draws.claimed_concepts(conn, app.pk, version.id)]
        return Subject(app, version, way, tuple(dict.fromkeys(known)), exclusive=False)
    if not trained.artifact:
        raise ModelUntrained(f"version {version.id!r} of model {version.model_id!r} is not trained (yet)")
    try:
        head = Head.from_bytes(blobs.get(trained.artifact))
    except ValueError as e:
        raise InvalidRequest(
            f"version {version.id!r} of model {version.model_id!r} (a {version.model_type_id}) has no head that says "
            f"concepts: {e}"
        ) from None
    info = plans.output_info(version.wire)
    own = list(info.data.concepts)
    if len(own) != head.concepts:
        raise InvalidRequest(f"version {version.id!r} names {len(own)} concepts, and its head has {head.concepts}")
    for concept in own:
        concept.user_id, concept.app_id, concept.value = version.user_id, version.app_id, 1.0
    said = [way.mapped(concept) if way is not None else [concept.id] for concept in own]
    ids = tuple(dict.fromkeys(i for some in said for i in some))
    number = {concept_id: i for i, concept_id in enumerate(ids)}
    becomes = tuple(tuple(number[i] for i in some) for some in said)
    return Subject(
        app,
        version,
        way,
        ids,
        # Two concepts that one becomes would have the same score, and pass together.
        exclusive=head.exclusive and all(len(some) <= 1 for some in becomes),
        head=head,
        embedder=trained.embedder,
        becomes=becomes,
        floor=info.output_config.min_value or plans.FLOOR,
    )


def claims(conn: Connection, of: Subject) -> Claims:
    """All that a model version claims of the app's inputs, whoever has looked at them.

    A head scores every input that has a vector of its embedder; of any other model it is what it said when the
    workflow ran.

    Raises:
        InvalidRequest: what it said is about parts of inputs, such as boxes.
    """
    return _said(conn, of) if of.head is None else _scored(conn, of, of.head)


def _said(conn: Connection, of: Subject) -> Claims:
    keys = concepts.keys(conn, of.app.pk, of.concepts)
    number = {keys[concept]: i for i, concept in enumerate(of.concepts) if concept in keys}
    best: dict[tuple[int, int], float] = {}
    parts = 0
    for row in draws.claimed(conn, of.app.pk, of.version.id):
        if row.slot != -1:
            parts += 1
        elif row.concept in number:
            place = row.input, number[row.concept]
            best[place] = max(best.get(place, 0.0), row.score)
    if parts and not best:
        raise InvalidRequest(
            f"what model {of.version.model_id!r} said is about parts of inputs, such as boxes; thresholds are tuned "
            "on what is said of whole inputs"
        )
    order = sorted(best)
    return Claims(
        np.array([i for i, _ in order], np.int64),
        np.array([c for _, c in order], np.int64),
        np.array([best[place] for place in order], np.float32),
    )


def _scored(conn: Connection, of: Subject, head: Head) -> Claims:
    made: list[Claims] = []
    pks: list[int] = []
    vectors: list[Floats] = []

    def score() -> None:
        if pks:
            made.append(_of_vectors(of, head, np.array(pks, np.int64), np.stack(vectors)))
            pks.clear()
            vectors.clear()

    for pk, raw in draws.with_vectors(conn, of.app.pk, of.embedder):
        vector = np.frombuffer(raw, dtype="<f4")
        if len(vector) == head.dimensions and np.isfinite(vector).all():
            pks.append(pk)
            vectors.append(vector)
            if len(pks) == CHUNK:
                score()
    score()
    return Claims(
        np.concatenate([m.inputs for m in made]) if made else np.empty(0, np.int64),
        np.concatenate([m.concepts for m in made]) if made else np.empty(0, np.int64),
        np.concatenate([m.scores for m in made]) if made else np.empty(0, np.float32),
    )


def _of_vectors(of: Subject, head: Head, inputs: Ints, vectors: Floats) -> Claims:
    scores = head.scores(vectors)
    mapped = np.zeros((len(inputs), len(of.concepts)), np.float32)
    for column, some in enumerate(of.becomes):
        for i in some:
            # As the mappers do: where several meet, the highest counts.
            np.maximum(mapped[:, i], scores[:, column], out=mapped[:, i])
    if not mapped.shape[1]:
        return Claims(inputs[:0], inputs[:0], mapped[:, :0].ravel())
    if of.exclusive:
        best = mapped.argmax(1)
        one = Claims(inputs, best.astype(np.int64), mapped[np.arange(len(inputs)), best])
        return one.those(one.scores >= of.floor)
    rows, columns = np.nonzero(mapped >= of.floor)
    return Claims(inputs[rows], columns.astype(np.int64), mapped[rows, columns])


# --- which of them are still to be decided --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Words:
    """What people say of the subject's concepts."""

    of_claim: dict[tuple[int, int], tuple[bool, str]]
    """Input key and concept number to yes or no, and the user."""
    shown: dict[int, tuple[int, str]]
    """Input key to the number of a concept that it shows, and the user."""

    def about(self, of: Subject, input_key: int, concept: int) -> tuple[bool, str] | None:
        """Whether a claim is right, and who says so; None where nobody does."""
        said = self.of_claim.get((input_key, concept))
        if said is not None or not of.exclusive:
            return said
        other = self.shown.get(input_key)
        return None if other is None else (False, other[1])

    def settle(self, of: Subject, some: Claims) -> npt.NDArray[np.bool_]:
        """Which claims people have decided; of exclusive concepts every word about an input is one about its claim."""
        if of.exclusive:
            inputs = {pk for pk, _ in self.of_claim}
            return np.fromiter((int(pk) in inputs for pk in some.inputs), bool, len(some))
        pairs = zip(some.inputs.tolist(), some.concepts.tolist(), strict=True)
        return np.fromiter((pair in self.of_claim for pair in pairs), bool, len(some))


def words(conn: Connection, of: Subject) -> Words:
    """What people say of the subject's concepts; of several words the last one counts."""
    keys = concepts.keys(conn, of.app.pk, of.concepts)
    number = {keys[concept]: i for i, concept in enumerate(of.concepts) if concept in keys}
    made = Words({}, {})
    for row in draws.said_by_people(conn, of.app.pk, number):
        concept = number[row.concept]
        made.of_claim[row.input, concept] = row.value > 0, row.user_id
        if row.value > 0:
            made.shown[row.input] = concept, row.user_id
        elif made.shown.get(row.input, (None,))[0] == concept:
            del made.shown[row.input]
    return made


def open_ones(conn: Connection, of: Subject, said: Words, some: Claims, *, without: Sequence[int] = ()) -> Claims:
    """The claims that are still to be decided: no person has spoken of them, and the model has not seen the input.

    Args:
        without: keys of inputs that are left out besides.
    """
    seen = {*trainings.seen(conn, of.version.pk), *without}
    fresh = np.fromiter((int(pk) not in seen for pk in some.inputs), bool, len(some))
    return some.those(fresh & ~said.settle(of, some))
