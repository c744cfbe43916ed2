"""Starting the processes, starting again those that die, and ending them all in time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue as queues
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.context import SpawnProcess

import structlog
from sqlalchemy.exc import SQLAlchemyError

from labelwright import metrics
from labelwright.annotator import processes
from labelwright.annotator.predict import Prediction, Task
from labelwright.config import Settings
from labelwright.errors import LabelwrightError, Overloaded
from labelwright.store import queue
from labelwright.store.engine import Store

log = structlog.get_logger("labelwright.processes")

# Children begin from nothing: a fork would copy threads' locks and gRPC's state in whatever shape they are.
_spawn = multiprocessing.get_context("spawn")

BACKOFF = 0.1, 5.0
"""Seconds before a process that died is started again: at first, and at most."""
HEALTHY = 30.0
"""Seconds after which a process counts as having started well."""


@dataclass(slots=True)
class Child:
    """A process and its pipes."""

    kind: str
    process: SpawnProcess
    control: Pipe
    tasks: Pipe | None
    started: float = field(default_factory=time.monotonic)

    def tell(self, what: bytes) -> None:
        """Say something without waiting: a child that doesn't listen has it in the pipe already."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self.control.fileno(), what)

    def close(self) -> None:
        """Close our end of the control pipe. That of the tasks is closed with its last user: one may be at it."""
        if not self.control.closed:
            metrics.ended(self.kind)
            self.control.close()


class Supervisor:
    """Keeps a set of processes running.

    Args:
        kinds: what to run, one process for each entry.
    """

    def __init__(self, settings: Settings, store: Store, kinds: list[str]) -> None:
        self._settings = settings
        self._store = store
        self._kinds = kinds
        self._children: dict[int, Child] = {}
        self._delay = dict.fromkeys(range(len(kinds)), BACKOFF[0])
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._predictions = _Predictions(settings)
        # Each numeric library starts a pool as large as the machine, and several processes then fight for it.
        # They read this when they are first imported, which in the children is still to come.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, str(processes.thread_count(settings)))

    def start(self) -> None:
        """Free what a server that was killed left behind, and start the processes."""
        with self._store.write() as conn:
            for lease in queue.orphaned(conn):
                queue.give_back(conn, lease)
        for slot in range(len(self._kinds)):
            self._start(slot)
        self._watcher.start()

    def wake(self) -> None:
        """Tell idle annotators that inputs may have come. Jobs are rare; their lane looks by itself."""
        for child in list(self._children.values()):
            if child.kind == processes.ANNOTATOR:
                child.tell(processes.WAKE)

    def run(self, task: Task) -> list[Prediction]:
        """Have the predictor run a task, and wait for it.

        Raises:
            Overloaded: too many wait already, the deadline passed, or the predictor died meanwhile.
            LabelwrightError: what the task raised.
        """
        return self._predictions.run(task)

    def stop(self, seconds: float) -> None:
        """End all processes: asked first; after ``seconds`` killed, and what they held given back."""
        self._stopping.set()
        self._predictions.close()
        # First, so that no process is started any more behind the back of what follows.
        if self._watcher.is_alive():
            self._watcher.join()
        children = list(self._children.values())
        for child in children:
            child.tell(processes.STOP)
        until = time.monotonic() + seconds
        for child in children:
            child.process.join(max(0.0, until - time.monotonic()))
            if child.process.is_alive():
                log.warning("a process did not end in time and is killed", kind=child.kind, pid=child.process.pid)
                child.process.kill()
                child.process.join()
                if child.process.pid is not None:
                    processes.give_back_in_time(self._store, child.process.pid)
            child.close()

    def _start(self, slot: int) -> None:
        kind = self._kinds[slot]
        theirs, ours = _spawn.Pipe(duplex=False)
        os.set_blocking(ours.fileno(), False)
        their_tasks, our_tasks = _spawn.Pipe() if kind == processes.PREDICTOR else (None, None)
        reports, their_reports = _spawn.Pipe(duplex=False)
        process = _spawn.Process(
            target=processes.main,
            args=(kind, self._settings, theirs, their_tasks, their_reports),
            name=f"labelwright-{kind}",
        )
        process.start()
        theirs.close()
        their_reports.close()
        if their_tasks is not None:
            their_tasks.close()
        child = Child(kind, process, ours, our_tasks)
        self._children[slot] = child
        metrics.started(kind)
        threading.Thread(target=_count, args=(kind, reports), name=f"reports-{kind}", daemon=True).start()
        if kind == processes.PREDICTOR:
            self._predictions.attach(child)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            slots = {child.process.sentinel: slot for slot, child in self._children.items()}
            # The time-out is for noticing the stop; a death is noticed at once.
            for sentinel in multiprocessing.connection.wait(list(slots), timeout=0.2):
                if self._stopping.is_set():
                    return
                try:
                    self._revive(slots[sentinel])  # type: ignore[index]
                except Exception:
                    # No process can be started at the moment, say. This thread is the only one that can do it later.
                    log.exception("a dead process could not be started again now; trying once more")
                    self._stopping.wait(BACKOFF[1])

    def _revive(self, slot: int) -> None:
        child = self._children[slot]
        child.process.join()
        pid, code = child.process.pid, child.process.exitcode
        log.error("a process died and is started again", kind=child.kind, pid=pid, exitcode=code)
        child.close()
        try:
            with self._store.write() as conn:
                for lease in queue.leases_of(conn, pid or 0):
                    # Status 0: it was told to go (SIGTERM); that counts against nobody.
                    (queue.give_back if code == 0 else queue.take_away)(conn, lease)
        except (SQLAlchemyError, OSError):
            log.exception("a dead process's leases could not be ended now; they end by themselves")
        well = time.monotonic() - child.started > HEALTHY
        self._delay[slot] = BACKOFF[0] if well else min(self._delay[slot] * 2, BACKOFF[1])
        if not self._stopping.wait(self._delay[slot]):
            self._start(slot)
            metrics.RESTARTS.labels(child.kind).inc()


def _count(kind: str, reports: Pipe) -> None:
    """Count what a process reports, until it ends. One that is killed while it speaks is cut off like any other."""
    with reports, contextlib.suppress(EOFError, OSError):
        while True:
            metrics.add(kind, reports.recv())


class _Predictions:
    """The calls that wait for the predictor: who waits for which answer, until when, and how many may.

    One thread hands the tasks on, each when the one before it was answered: so a task that nobody waits for any
    more is never begun, and one that the predictor can't end is known.
    """

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.predict_timeout
        self._slots = threading.BoundedSemaphore(settings.predict_in_flight)
        self._queue: queues.SimpleQueue[_Waiting | None] = queues.SimpleQueue()
        self._changed = threading.Condition()
        self._child: Child | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def attach(self, child: Child) -> None:
        """Give the tasks to this predictor from now on."""
        with self._changed:
            self._child = child
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._hand_on, name="predictions", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Tell all who wait that no answer will come."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            self._queue.put(None)

    def run(self, task: Task) -> list[Prediction]:
        if not self._slots.acquire(blocking=False):
            raise Overloaded("too many predictions wait already (setting predict_in_flight): try again in a moment")
        try:
            waiting = _Waiting(task, self._timeout)
            with self._changed:
                if self._closed or self._thread is None:
                    raise Overloaded(STOPPED)
                self._queue.put(waiting)
            with metrics.PREDICTIONS.track_inprogress():
                return waiting.wait()
        finally:
            self._slots.release()

    def _hand_on(self) -> None:
        while (waiting := self._queue.get()) is not None:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._child is not None, waiting.left)
                child, closed = self._child, self._closed
            if closed:
                waiting.answer(Overloaded(STOPPED))
            elif child is not None and waiting.left:
                waiting.answer(self._ask(child, waiting.task))

    def _ask(self, child: Child, task: Task) -> list[Prediction] | LabelwrightError:
        until = time.monotonic() + self._timeout
        try:
            if child.tasks is None:
                raise EOFError
            child.tasks.send(task)
            while not child.tasks.poll(0.2):
                if self._closed:
                    return Overloaded(STOPPED)
                if time.monotonic() > until:
                    log.error("a prediction did not end in time; the predictor is started again", s=self._timeout)
                    child.process.kill()
                    raise EOFError
            answer: list[Prediction] | LabelwrightError = child.tasks.recv()
        except (EOFError, OSError):
            with self._changed:
                if self._child is child:
                    self._child = None
            return Overloaded("the predictor died at its work and is started again: try once more")
        return answer


STOPPED = "no predictor runs here any more: the server is stopping"


class _Waiting:
    """One call that waits."""

    def __init__(self, task: Task, seconds: float) -> None:
        self.task = task
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._done = threading.Event()
        self._answer: list[Prediction] | LabelwrightError = []

    @property
    def left(self) -> float:
        """Seconds to its deadline."""
        return max(0.0, self._until - time.monotonic())

    def answer(self, answer: list[Prediction] | LabelwrightError) -> None:
        """Let the call go on."""
        self._answer = answer
        self._done.set()

    def wait(self) -> list[Prediction]:
        """The answer.

        Raises:
            Overloaded: none came in time.
            LabelwrightError: the answer is an error.
        """
        if not self._done.wait(self.left):
            raise Overloaded(
                f"no prediction within {self._seconds:g} s (setting predict_timeout): try fewer inputs a call"
            )
        if isinstance(self._answer, LabelwrightError):
            raise self._answer
        return self._answer
