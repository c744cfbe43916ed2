"""The processes beside the calls' own: annotators, the lane of jobs, the predictor. What each of them runs."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from typing import Any

import cv2
import structlog
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from labelwright import logs, metrics
from labelwright.annotator.lane import Carriers, Lane
from labelwright.annotator.predict import Forecaster
from labelwright.annotator.worker import Annotator, alive, end_expired, give_back_owed, work
from labelwright.config import Settings
from labelwright.errors import LabelwrightError
from labelwright.media.blobs import BlobStore
from labelwright.operators import registry
from labelwright.store import jobs, queue
from labelwright.store.engine import Store

ANNOTATOR, JOBS, PREDICTOR = "annotator", "jobs", "predictor"

GRACE = 7.0
"""Seconds that a process may use to finish what it is at before it gives it back: the whole server has 10."""

WAKE, STOP = b"w", b"s"

REPORT_EVERY = 1.0
"""Seconds between two reports of what a process did: who looks at figures looks every few seconds."""

log = structlog.get_logger("labelwright.processes")


class Control:
    """A child's end of its pipe from the parent: wake, stop; the parent's death is a stop too."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self.awake = threading.Event()
        self.stopping = threading.Event()
        self._on_stop: list[Callable[[], None]] = []
        for name in (signal.SIGTERM, signal.SIGINT):
            # Ctrl-C reaches the whole group; the parent decides, and tells by the pipe.
            signal.signal(name, signal.SIG_IGN if name is signal.SIGINT else lambda *_: self.stop())
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def on_stop(self, then: Callable[[], None]) -> None:
        """Call ``then`` when an end is asked for."""
        self._on_stop.append(then)
        if self.stopping.is_set():
            then()

    def stop(self) -> None:
        """Begin to end."""
        self.stopping.set()
        self.awake.set()
        for then in self._on_stop:
            then()

    def wait(self, seconds: float) -> None:
        """Sleep until woken, at most so long."""
        self.awake.wait(seconds)
        self.awake.clear()

    def _listen(self) -> None:
        while True:
            try:
                said = os.read(self._pipe.fileno(), 4096)
            except OSError:
                said = b""
            if not said or STOP in said:
                self.stop()
                return
            self.awake.set()


class Reports:
    """What a child notes for the metrics, on its way up to the parent: a thread of its own sends it."""

    def __init__(self, pipe: Pipe) -> None:
        metrics.keep()
        self._pipe = pipe
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._send, name="reports", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is left. A parent that does not read can hold this up for 0.5 seconds."""
        self._ending.set()
        self._thread.join(0.5)

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ending = self._ending.wait(REPORT_EVERY)
                if noted := metrics.take():
                    self._pipe.send(noted)
                if ending:
                    return


def main(kind: str, settings: Settings, pipe: Pipe, tasks: Pipe | None, reports: Pipe) -> None:
    """What a child process runs."""
    logs.configure(settings.log_level, settings.log_format)
    control = Control(pipe)
    reporting = Reports(reports)
    cv2.setNumThreads(thread_count(settings))
    registry.populate(settings.plugins)
    settle_memory()
    store = Store(settings.store_url)
    blobs = BlobStore(settings.media_store_url)
    # A step that outlasts the grace is cut off: its lease is given back, and the process ends.
    control.on_stop(lambda: _end_after(GRACE, store))
    if kind == PREDICTOR and tasks is not None:
        _predictor(Forecaster(settings, store, blobs), tasks, control)
    elif kind == JOBS:
        _jobs(settings, store, blobs, control)
    else:
        annotator = Annotator(settings, store, blobs)
        control.on_stop(annotator.stop)
        work(annotator, control.wait, settings.poll)
    reporting.close()
    store.close()
    # Threads of libraries may linger; everything of ours is on disk.
    sys.stderr.flush()
    os._exit(0)


def _end_after(seconds: float, store: Store) -> None:
    def cut() -> None:
        give_back_in_time(store, os.getpid())
        os._exit(0)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()


def give_back_all(store: Store, pid: int) -> None:
    """Let everything that a process of this host holds wait again."""
    with store.write() as conn:
        for lease in queue.leases_of(conn, pid):
            queue.give_back(conn, lease)


def give_back_in_time(store: Store, pid: int, seconds: float = 1.0) -> None:
    """As `give_back_all`, but for so long at most: a store that doesn't answer must not hold up an end.

    What is not given back so is found at the next start, or when the lease ends.
    """

    def quietly() -> None:
        try:
            give_back_all(store, pid)
        except (SQLAlchemyError, OSError) as e:
            log.warning("leases could not be given back now", error=type(e).__name__)

    thread = threading.Thread(target=quietly, name="give-back", daemon=True)
    thread.start()
    thread.join(seconds)


def settle_memory() -> None:
    """Tell the collector of cycles that what is loaded by now stays, and to look less often.

    A batch makes 100,000 short-lived objects without cycles, and Python by itself looks through them every 700.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def thread_count(settings: Settings) -> int:
    """Threads that the numeric libraries of one process get."""
    return settings.threads or max(1, (os.cpu_count() or 1) // max(1, settings.workers))


def _jobs(settings: Settings, store: Store, blobs: BlobStore, control: Control) -> None:
    carriers = Carriers(Lane(settings, store, blobs))
    holder = queue.this_process()
    owed: list[str] = []
    while not control.stopping.is_set():
        try:
            give_back_owed(store, owed)
            # A server without annotators has nobody else who looks.
            end_expired(store)
            with store.read() as conn:
                waiting = jobs.waiting(conn)
            if waiting:
                with store.write() as conn:
                    job = jobs.claim(conn, holder, seconds=settings.lease)
                if job is not None:
                    owed.append(job.lease)
                    with alive(store, job.lease, settings.lease):
                        carrier = carriers.of(job.kind)
                        if carrier is None:
                            with store.write() as conn:
                                jobs.end(conn, job.pk, jobs.BROKEN, f"no such kind of job: {job.kind}")
                        else:
                            carrier.carry(job, stop=control.stopping.is_set)
                    owed.clear()
                continue
        except OperationalError as e:
            log.warning("the store can't be reached; trying again", error=str(e.orig)[:200])
        # Jobs are rare and long: looking for one four times less often than for inputs costs nobody anything.
        control.wait(settings.poll * 4)


def _predictor(forecaster: Forecaster, tasks: Pipe, control: Control) -> None:
    while not control.stopping.is_set():
        try:
            if not tasks.poll(0.5):
                continue
            task = tasks.recv()
        except (EOFError, OSError):
            return
        answer: Any
        try:
            answer = forecaster.run(task)
        except LabelwrightError as e:
            answer = e
        except Exception as e:
            log.exception("a prediction failed")
            answer = LabelwrightError(f"the prediction failed ({type(e).__name__}); the log has more")
        try:
            tasks.send(answer)
        except OSError:
            return
