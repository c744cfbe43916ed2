"""Running again, listing runs, taking one back."""

from __future__ import annotations

import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Connection, Row

from labelwright import config, logs
from labelwright.annotator import undo as undoing
from labelwright.annotator.intake import Intake
from labelwright.annotator.rerun import Rerun
from labelwright.annotator.worker import alive
from labelwright.cli.opened import find_app, opened, show
from labelwright.errors import DoesNotExist, LabelwrightError
from labelwright.media.blobs import BlobStore
from labelwright.operators import registry
from labelwright.store import jobs, queue, reruns, runs
from labelwright.store.engine import Store

TURN = 0.5
"""Seconds of work between two looks at the progress."""


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def rerun(name: str, *, dataset: str | None, missing: bool, home: Path | None) -> None:
    """Queue a re-run, or find the one that was stopped, and carry it to its end."""
    with opened(home) as (settings, store):
        logs.configure("warning", settings.log_format)
        registry.populate(settings.plugins)
        with store.write() as conn:
            app = find_app(conn, name)
            if dataset is not None:
                raise DoesNotExist(f"app {app.id!r} has no dataset {dataset!r}")
            before = [j for j in jobs.unfinished(conn, app.pk, "rerun") if bool(j.params.get("missing")) == missing]
            job_id = before[0].id if before else _queue(conn, app.pk, missing)
        if before:
            Console().print("Going on with the re-run that was under way.")
        told = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        job = _carry(settings, store, job_id, told)
        if before and job.state == jobs.BROKEN:
            Console().print(f"That one ended: {job.message}. Beginning anew.")
            with store.write() as conn:
                job_id = _queue(conn, app.pk, missing)
            job = _carry(settings, store, job_id, told)
        _report(store, job, told)


def _queue(conn: Connection, app: int, missing: bool) -> str:
    # How many lack the newest version is counted when the job begins and that version is known.
    total = 0 if missing else reruns.count_all(conn, app)
    return jobs.add(conn, app, kind="rerun", params={"workflow": "default", "missing": missing}, total=total)


def _carry(settings: config.Settings, store: Store, job_id: str, told: threading.Event) -> Row[Any]:
    """Work on a job, or watch whoever has it, until it ends."""
    blobs = BlobStore(settings.media_store_url)
    carrier = Rerun(store, Intake(settings, blobs), settings.batch, blobs)
    holder = queue.this_process()
    with _progress() as progress:
        bar = progress.add_task("inputs", total=None)
        while True:
            with store.write() as conn:
                free(conn, job_id)
                claimed = None if told.is_set() else jobs.claim(conn, holder, seconds=settings.lease, job_id=job_id)
            if claimed is not None:
                with alive(store, claimed.lease, settings.lease):
                    carrier.carry(claimed, stop=told.is_set, turn=TURN)
            with store.read() as conn:
                job = jobs.get(conn, job_id)
            if job is None:
                raise DoesNotExist("the app was deleted while it was run over again")
            progress.update(bar, total=job.total or None, completed=job.done)
            if told.is_set() or job.state not in jobs.UNFINISHED:
                return job
            if claimed is None:
                # A server on this store has it: look on.
                time.sleep(TURN)


def free(conn: Connection, job_id: str) -> None:
    """Let go of what processes of this machine held that are no more."""
    job = jobs.get(conn, job_id)
    for lease in queue.orphaned(conn):
        # A command before this one that died over the job may have died of an input: that one must be found.
        (queue.take_away if job is not None and lease == job.lease else queue.give_back)(conn, lease)


def _report(store: Store, job: Row[Any], told: threading.Event) -> None:
    if job.state == jobs.BROKEN:
        raise LabelwrightError(f"the re-run ended: {job.message}")
    out = Console()
    if job.state != jobs.COMPLETED:
        out.print(f"Stopped at {job.done} of {job.total}. The same command goes on; so does a running server.")
        raise SystemExit(130 if told.is_set() else 1)
    with store.read() as conn:
        run = runs.by_pk(conn, job.cursor["run"])
    if run is None:
        raise DoesNotExist("the run is gone")
    out.print(
        f"{job.done} inputs run over, {job.failed} failed: {run.wrote} annotations written, "
        f"{run.replaced} replaced.\nTake it back with  labelwright undo {run.id}"
    )


def list_runs(name: str | None, *, limit: int, home: Path | None) -> None:
    """Print the runs as a table."""
    with opened(home) as (_settings, store), store.read() as conn:
        app = find_app(conn, name) if name else None
        rows = runs.page(conn, app.pk if app else None, limit=limit)
    if not rows:
        Console().print("No run yet: inputs added to an app with a default workflow make the first.")
        return
    table = Table("run", "app", "kind", "began", "inputs", "wrote", "replaced", "state")
    # What one copies must stand on one line, however narrow the terminal is.
    table.columns[0].no_wrap = True
    for row in rows:
        began = datetime.fromtimestamp(row.created_at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
        state = "undone" if row.undone_at else ""
        table.add_row(
            row.id,
            f"{row.user_id}/{row.app_id}",
            row.kind,
            began,
            *(str(n) for n in (row.inputs, row.wrote, row.replaced)),
            state,
        )
    show(table)


def undo(run_id: str, *, home: Path | None) -> None:
    """Take a run back."""
    with opened(home) as (_settings, store), _progress() as progress:
        bar = progress.add_task("annotations", total=None)
        done = undoing.undo(store, run_id, lambda n: progress.advance(bar, n))
    Console().print(
        f"{done.removed} annotations removed, {done.restored} put back, {done.left} left as a person has them now."
    )
