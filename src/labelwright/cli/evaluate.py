"""Evaluating a model version from the command line: carried here, or by the server that has it already."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from sqlalchemy import Connection, Row

from labelwright import config, logs
from labelwright.annotator.lane import Carriers, Lane
from labelwright.annotator.worker import alive
from labelwright.cli.evaluation_report import write_report
from labelwright.cli.opened import find_app, opened, show
from labelwright.cli.runs import free
from labelwright.errors import ConfigurationError, DoesNotExist, LabelwrightError, ModelDoesNotExist
from labelwright.ids import new_id
from labelwright.media import variants
from labelwright.media.blobs import BlobStore
from labelwright.models.catalogue import PUBLIC_APP, PUBLIC_USER
from labelwright.operators import registry
from labelwright.protocol.resources.evaluations import evaluable
from labelwright.store import apps, evaluations, inputs, jobs, models, queue
from labelwright.store.engine import Store
from labelwright.training.evaluation_job import EVALUATED, start

TURN = 0.5
"""Seconds of work between two looks at the progress."""

PICTURES = 48
"""Mistakes of which the report has a picture: of some 15 KB each."""

COLUMNS = ("f1", "precision", "recall", "roc_auc", "calibration_error")


def evaluate(
    name: str, *, model: str, version: str | None, html: Path | None, as_json: bool, home: Path | None
) -> None:
    """Evaluate a version, print what came out, and write the report where one is wanted."""
    if html is not None and not html.parent.is_dir():
        raise ConfigurationError(f"there is no folder {html.parent} to write {html.name} into; make it first")
    with opened(home) as (settings, store):
        logs.configure("warning", settings.log_format)
        registry.populate(settings.plugins)
        blobs = BlobStore(settings.media_store_url)
        with store.write() as conn:
            app = find_app(conn, name)
            found = _version(conn, app, model, version)
            asked = new_id()
            _, job = start(conn, app.pk, id=asked, model_version=found.pk, params={})
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        _carry(Lane(settings, store, blobs), job, told)
        with store.read() as conn:
            row = evaluations.get(conn, app.pk, asked)
        if row is None:
            raise DoesNotExist("the version, or the app, was deleted while it was evaluated")
        if row.status_code != EVALUATED:
            if told.is_set():
                Console(stderr=True).print("Stopped. A running server goes on with it; so does the same command, anew.")
                raise SystemExit(130)
            raise LabelwrightError(f"the evaluation ended: {row.message}")
        about = {
            "app": f"{app.user_id}/{app.id}",
            "model": model,
            "version": found.id,
            "evaluation": row.id,
            "when": datetime.fromtimestamp(row.created_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        }
        if html is not None:
            try:
                write_report(html, about, row.result, _pictures(settings, store, blobs, app, row.result))
            except OSError as e:
                raise ConfigurationError(f"the report can't be written to {html}: {e.strerror or e}") from None
    if as_json:
        typer.echo(json.dumps({**about, **row.result}, indent=2, ensure_ascii=False, allow_nan=False))
        return
    _print(row.result)
    if html is not None:
        Console().print(f"The report: {html}", soft_wrap=True)


def _version(conn: Connection, app: Row[Any], model_id: str, version_id: str | None) -> Row[Any]:
    public = apps.get(conn, PUBLIC_USER, PUBLIC_APP)
    rows = [models.get(conn, home.pk, model_id) for home in (app, public) if home is not None]
    row = next((r for r in rows if r is not None), None)
    if row is None:
        raise ModelDoesNotExist(f"neither app {app.id!r} nor {PUBLIC_USER}/{PUBLIC_APP} has a model {model_id!r}")
    newest = models.version(conn, row.pk)
    return evaluable(conn, row, version_id or (newest.id if newest is not None else ""))


def _carry(lane: Lane, job_id: str, told: threading.Event) -> None:
    """Work on a job, or watch whoever has it, until it ends."""
    carriers, holder = Carriers(lane), queue.this_process()
    bar = Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), console=Console(stderr=True))
    with bar as progress:
        task = progress.add_task("evaluating", total=None)
        while True:
            with lane.store.write() as conn:
                free(conn, job_id)
                seconds = lane.settings.lease
                claimed = None if told.is_set() else jobs.claim(conn, holder, seconds=seconds, job_id=job_id)
            carrier = carriers.of(claimed.kind) if claimed is not None else None
            if claimed is not None and carrier is not None:
                with alive(lane.store, claimed.lease, lane.settings.lease):
                    carrier.carry(claimed, stop=told.is_set, turn=TURN)
            with lane.store.read() as conn:
                job = jobs.get(conn, job_id)
            if job is None or told.is_set() or job.state not in jobs.UNFINISHED:
                return
            progress.update(task, total=job.total or None, completed=job.done)
            if claimed is None:
                # A server on this store has it: look on.
                time.sleep(TURN)


def _print(result: Mapping[str, Any]) -> None:
    table = Table("concept", "F1", "precision", "recall", "AUC", "calibration error", "labels yes", "no")
    for column in table.columns[1:]:
        column.justify = "right"
    for concept in result["concepts"]:
        figures = (_figure(concept[name]) for name in COLUMNS)
        table.add_row(concept["name"], *figures, str(concept["positives"]), str(concept["negatives"]))
    summary = result["summary"]
    table.add_section()
    table.add_row(
        "all, macro",
        *(_figure(summary[name]) for name in ("macro_f1", "macro_precision", "macro_recall", "macro_roc_auc")),
        _figure(summary["calibration_error"]),
    )
    show(table)
    way = "cross-validated" if result["about"]["way"] == "folds" else "run as it is now, on labels by people"
    Console().print(
        f"{summary['inputs']} labelled inputs, {way}: {_figure(summary['accuracy'])} of the decisions are right."
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _pictures(
    settings: config.Settings, store: Store, blobs: BlobStore, app: Row[Any], result: Mapping[str, Any]
) -> dict[str, bytes]:
    """Small pictures of the inputs that it was wrong about, of those that are images."""
    wanted = list(dict.fromkeys(mistake["input"] for mistake in result["mistakes"]))[:PICTURES]
    with store.read() as conn:
        rows = inputs.by_ids(conn, app.pk, wanted)
    made = {}
    for row in rows.values():
        if row.media is None:
            continue
        try:
            made[row.id] = variants.make(blobs.get(row.media), "small", max_pixels=settings.max_pixels)
        except LabelwrightError:
            # A text, a film, or media that are gone: its id has to do.
            continue
    return made
