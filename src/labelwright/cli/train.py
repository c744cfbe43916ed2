"""Training a version of a model from the command line."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Model, ModelVersion
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Connection, Row

from labelwright import config, logs
from labelwright.annotator.lane import Carriers, Lane
from labelwright.annotator.worker import alive
from labelwright.cli.opened import find_app, opened, show
from labelwright.cli.runs import free
from labelwright.errors import DoesNotExist, LabelwrightError, ModelInvalidRequest
from labelwright.ids import resource_id_problem
from labelwright.media.blobs import BlobStore
from labelwright.operators import registry
from labelwright.protocol.resources import model_settings, model_wire
from labelwright.protocol.resources import trainings as training
from labelwright.store import jobs, models, queue, trainings
from labelwright.store.engine import Store
from labelwright.training.params import Asked, checked

LOOK = 0.3
"""Seconds between two looks at the progress."""


def train(app_name: str, model_id: str, *, concepts: Sequence[str], exclusive: bool, home: Path | None) -> None:
    """Queue the training of a version, and carry it to its end, or look on where a server does."""
    with opened(home) as (settings, store):
        logs.configure("warning", settings.log_format)
        registry.populate(settings.plugins)
        with store.write() as conn:
            app = find_app(conn, app_name)
            version, job_id = _queue(conn, app, model_id, concepts, exclusive)
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        job = _carry(settings, store, job_id, told)
        _report(store, job, version, model_id)


def _queue(conn: Connection, app: Row[Any], model_id: str, concepts: Sequence[str], exclusive: bool) -> tuple[int, str]:
    """The keys of a new version and of its job; of a model that is not there yet, the first."""
    row = models.get(conn, app.pk, model_id)
    if row is None:
        if problem := resource_id_problem(model_id):
            raise ModelInvalidRequest(f"model id: {problem}")
        kind = model_settings.DEFAULT_TYPE
        wire = model_wire.model_bytes(Model())
        models.add(conn, app.pk, id=model_id, name=model_id, model_type_id=kind, wire=wire)
        row = models.by_ids(conn, app.pk, [model_id])[model_id]
    model_type = model_settings.known_type(row.model_type_id)
    if not model_settings.learns(model_type):
        raise ModelInvalidRequest(f"model {model_id!r} is a {row.model_type_id}, which does not learn from labels")
    posted = ModelVersion()
    if concepts:
        posted.output_info.data.concepts.extend(Concept(id=c) for c in concepts)
    info = training.inherited(conn, row, posted)
    if exclusive:
        info.output_config.concepts_mutually_exclusive = True
    asked = Asked(
        concepts=tuple(c.id for c in info.data.concepts),
        exclusive=info.output_config.concepts_mutually_exclusive,
        timeout=info.output_config.training_timeout,
        **checked(model_type, {}),
    )
    pk = model_wire.add_version(conn, row.pk, posted, info, trained=False)
    return pk, training.enqueue(conn, app, pk, asked)


def _carry(settings: config.Settings, store: Store, job_id: str, told: threading.Event) -> Row[Any]:
    """Work on a job, or watch whoever has it, until it ends."""
    blobs = BlobStore(settings.media_store_url)
    carrier = Carriers(Lane(settings, store, blobs)).of(trainings.KIND)
    if carrier is None:
        raise LabelwrightError("nobody carries trainings")
    holder = queue.this_process()
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        bar = progress.add_task("training", total=100)
        while True:
            with store.write() as conn:
                free(conn, job_id)
                claimed = None if told.is_set() else jobs.claim(conn, holder, seconds=settings.lease, job_id=job_id)
            if claimed is not None:
                with alive(store, claimed.lease, settings.lease), ThreadPoolExecutor(1) as pool:
                    working = pool.submit(carrier.carry, claimed, told.is_set)
                    while not working.done():
                        wait([working], timeout=LOOK)
                        _look(store, job_id, lambda job: progress.update(bar, completed=job.done))
                    working.result()
            job = _look(store, job_id, lambda job: progress.update(bar, completed=job.done))
            if told.is_set() or job.state not in jobs.UNFINISHED:
                return job
            if claimed is None:
                # A server on this store has it: look on.
                told.wait(LOOK)


def _look(store: Store, job_id: str, then: Any) -> Row[Any]:
    with store.read() as conn:
        job = jobs.get(conn, job_id)
    if job is None:
        raise DoesNotExist("the app was deleted while a model was trained")
    then(job)
    return job


def _report(store: Store, job: Row[Any], version: int, model_id: str) -> None:
    if job.state == jobs.BROKEN:
        raise LabelwrightError(f"nothing was trained: {job.message}")
    out = Console()
    if job.state != jobs.COMPLETED:
        out.print("Stopped. A running server goes on with it, or the next that is started.")
        raise SystemExit(130)
    with store.read() as conn:
        row = models.versions_by_pk(conn, [version]).get(version)
        found = trainings.get(conn, version)
    if row is None or found is None:
        raise DoesNotExist("the version was deleted meanwhile")
    if counts := found.report.get("labels"):
        table = Table("concept", "positive", "negative")
        for concept, (positive, negative) in counts.items():
            table.add_row(concept, str(positive), str(negative))
        show(table)
    out.print(
        f"Trained version {row.id} of model {model_id} on {found.report.get('inputs', 0)} inputs.", soft_wrap=True
    )
