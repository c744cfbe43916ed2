"""The arrays of versions that learned, as a process holds them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, ModelUntrained
from labelwright.media.blobs import BlobStore
from labelwright.operators import registry
from labelwright.store import trainings
from labelwright.store.models import TRAINED

KEEP = 128 * 2**20
"""Bytes that a process keeps: a linear head of 20 concepts on 512 numbers has 40 kB, a kernel machine a few MB."""


def learned(version: Row[Any]) -> bool:
    """Whether a version (a row of `models.versions_by_pk`) is of a type whose versions learn from labels."""
    return registry.get(version.model_type_id).trainable


def refuse_untrained(version: Row[Any]) -> None:
    """Refuse a version that has learned nothing.

    Raises:
        ModelUntrained: says what it waits for.
    """
    if version.status_code != TRAINED:
        raise ModelUntrained(
            f"version {version.id!r} of model {version.model_id!r} is not trained (its status is "
            f"{version.status_code}): PostModelVersions trains one, and GetModelVersion says how far it is"
        )


class Artifacts:
    """Reads arrays of versions from the media store, and keeps those that were used last.

    Safe to share between threads. A version's arrays never change, so nothing is ever read again to see whether.
    """

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, conn: Connection, version: Row[Any]) -> bytes | None:
        """The arrays of a version (a row of `models.versions_by_pk`); None for one that came without.

        Raises:
            ModelUntrained: it is of a type that learns, and has not, or its arrays are gone.
        """
        if not learned(version):
            return None
        with self._lock:
            if version.pk in self._kept:
                self._kept.move_to_end(version.pk)
                return self._kept[version.pk]
        key = trainings.artifact(conn, version.pk)
        if not key:
            refuse_untrained(version)
            # The public clusterer is of a type that can learn, and has no arrays.
            return None
        try:
            data = self._blobs.get(key)
        except DoesNotExist:
            raise ModelUntrained(
                f"what version {version.id!r} of model {version.model_id!r} learned is no longer in the media store; "
                "train another with PostModelVersions"
            ) from None
        with self._lock:
            self._kept[version.pk] = data
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > KEEP:
                self._kept.popitem(last=False)
        return data
