"""Which embedder a training takes its vectors from, and vectors for inputs that have none yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from labelwright.annotator import batch
from labelwright.annotator.intake import Intake
from labelwright.annotator.plans import node_of, snapshot
from labelwright.errors import TrainingFailed
from labelwright.media.blobs import BlobStore
from labelwright.models.catalogue import EMBEDDING, PUBLIC_APP, PUBLIC_USER
from labelwright.operators import registry
from labelwright.store import apps, labels, models, training_labels, workflows
from labelwright.store.engine import Store
from labelwright.workflows import engine

AT_ONCE = 64
"""Inputs that get their vectors in one go, which is what a kill can cost."""


def embeds(version: Row[Any]) -> bool:
    """Whether a version (a row of `models.versions_by_pk`) makes embeddings."""
    return "embeddings" in registry.get(version.model_type_id).outputs


def of_app(conn: Connection, app: Row[Any]) -> Row[Any]:
    """The embedder of an app: the first of its default workflow, else the public one for images.

    Returns:
        A row of `models.versions_by_pk`.

    Raises:
        TrainingFailed: there is none, which means that the public app is not there.
    """
    newest = workflows.version(conn, app.default_workflow) if app.default_workflow else None
    if newest is not None:
        nodes = workflows.nodes(conn, newest.pk)
        versions = models.versions_by_pk(conn, [n.model_version for n in nodes])
        for node in nodes:
            if node.model_version in versions and embeds(versions[node.model_version]):
                return versions[node.model_version]
    public = apps.get(conn, PUBLIC_USER, PUBLIC_APP)
    model = models.get(conn, public.pk, EMBEDDING.id) if public is not None else None
    version = models.version(conn, model.pk) if model is not None else None
    if version is None:
        raise TrainingFailed(f"there is no embedder: {PUBLIC_USER}/{PUBLIC_APP} has no {EMBEDDING.name}")
    return models.versions_by_pk(conn, [version.pk])[version.pk]


class Embedding:
    """Makes vectors for inputs of one app, with one embedder, and keeps them."""

    def __init__(self, store: Store, blobs: BlobStore, intake: Intake, app: Row[Any], embedder: Row[Any]) -> None:
        self._store = store
        self._blobs = blobs
        self._intake = intake
        self._app = app
        with store.read() as conn:
            node = node_of(embedder, snapshot(conn, app), id="embedder")
        self._plan = engine.plan("", "", [node])
        self._version = embedder.id

    def make(self, pks: Sequence[int], stop: Callable[[], bool] = lambda: False) -> dict[int, str] | None:
        """Make and keep the vectors of some inputs.

        Returns:
            Input key to why there is none, for those that can't have one; None where ``stop`` said so half-way.
        """
        with self._store.read() as conn:
            rows = training_labels.inputs_of(conn, self._app.pk, pks)
        made = batch.make(self._plan, self._app.pk, rows, self._intake, stop=stop) if rows else {}
        if made is None:
            return None
        failed: dict[int, str] = {}
        vectors = []
        for row in rows:
            one = made[row.pk]
            if one.error is not None:
                failed[row.pk] = f"input {row.id!r}: {one.error.details or one.error.description}"
            elif self._version not in one.vectors:
                failed[row.pk] = f"input {row.id!r}: the embedder takes images, and it is none"
            else:
                vectors.append((row.pk, self._version, one.vectors[self._version]))
        with self._store.write() as conn:
            # An input may have been deleted while its vector was made, or an annotator may be writing the same one.
            apps.hold(conn, self._app.pk)
            there = {row.pk for row in training_labels.inputs_of(conn, self._app.pk, pks, lock=True)}
            labels.put_embeddings(conn, [v for v in vectors if v[0] in there])
        for pk, one in made.items():
            if one.media is not None and pk not in there:
                self._blobs.delete(one.media)
        return failed
