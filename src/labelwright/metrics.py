"""What the server counts of itself, for Prometheus.

Calls are counted where they are answered. What annotators, the lane of jobs and the predictor do is noted in their
own processes (`keep`, `take`), sent up to the server's, and counted there (`add`): so a counter outlives the restart
of whoever it counts for.

Labels are names of RPCs, status codes, stages, model types and kinds of process: all of them bounded, none of them
anybody's data.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

import labelwright

# A second series for each counter and histogram, with the time at which it began: half as many again, and unused.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
"""Of our own: what a plug-in's libraries count for themselves may carry labels that nobody here has looked at."""

CALL_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds. Short calls take some 2 ms; who waits for a prediction may wait 30 s."""
STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

CALLS = Counter("labelwright_calls", "Calls answered, by RPC and status code.", ["rpc", "code"], registry=REGISTRY)
CALL_SECONDS = Histogram(
    "labelwright_call_seconds",
    "Seconds from a call's arrival to its reply.",
    ["rpc"],
    buckets=CALL_BUCKETS,
    registry=REGISTRY,
)
INPUTS = Counter(
    "labelwright_inputs", "Inputs that were labelled, or failed.", ["process", "outcome"], registry=REGISTRY
)
INPUT_RATE = Gauge(
    "labelwright_inputs_per_second",
    "Inputs labelled or failed a second, over the last minute.",
    ["process"],
    registry=REGISTRY,
)
ANNOTATIONS = Counter("labelwright_annotations", "Annotations that workflows wrote.", ["process"], registry=REGISTRY)
BATCH_INPUTS = Histogram(
    "labelwright_batch_inputs", "Inputs of a batch.", ["process"], buckets=BATCH_BUCKETS, registry=REGISTRY
)
STAGE_SECONDS = Histogram(
    "labelwright_stage_seconds",
    "Seconds that one stage of one batch, or of a part of it, took.",
    ["process", "stage"],
    buckets=STAGE_BUCKETS,
    registry=REGISTRY,
)
NODE_SECONDS = Histogram(
    "labelwright_node_seconds",
    "Seconds that one node of a workflow took for a batch, or a part of it, by its model type.",
    ["process", "model_type"],
    buckets=STAGE_BUCKETS,
    registry=REGISTRY,
)
PROCESSES = Gauge(
    "labelwright_processes", "Processes beside the server's own that live.", ["process"], registry=REGISTRY
)
RESTARTS = Counter(
    "labelwright_process_restarts", "Processes that died and were started again.", ["process"], registry=REGISTRY
)
PREDICTIONS = Gauge("labelwright_predictions_in_flight", "Calls that wait for the predictor.", registry=REGISTRY)
CONNECTIONS = Gauge("labelwright_connections", "Clients connected at the address that takes all.", registry=REGISTRY)
AUDIT_ANSWERS = Counter(
    "labelwright_audit_answers", "Audited auto-labels that a person answered about.", ["outcome"], registry=REGISTRY
)
Info("labelwright_build", "The version that runs.", registry=REGISTRY).info({"version": labelwright.__version__})
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

ANNOTATOR, JOBS = "annotator", "jobs"
AUDITED = RIGHT, WRONG, UNTOLD = "right", "wrong", "untold"
OUTCOMES = LABELLED, FAILED = "labelled", "failed"

_calls: dict[tuple[str, int], tuple[Counter, Histogram]] = {}


def call(rpc: str, code: int, seconds: float) -> None:
    """Count a call that was answered."""
    found = _calls.get((rpc, code))
    if found is None:
        found = _calls[rpc, code] = CALLS.labels(rpc, str(code)), CALL_SECONDS.labels(rpc)
    counter, histogram = found
    counter.inc()
    histogram.observe(seconds)


def audited(outcome: str, count: int = 1) -> None:
    """Count answers about auto-labels; ``outcome`` is one of AUDITED."""
    AUDIT_ANSWERS.labels(outcome).inc(count)


# --- the processes that live ----------------------------------------------------------------------


def started(process: str) -> None:
    """Count a process in; ``process`` is its kind."""
    PROCESSES.labels(process).inc()
    # Made with 0, so that the first restart is seen as an increase.
    RESTARTS.labels(process)


def ended(process: str) -> None:
    """Count a process out."""
    PROCESSES.labels(process).dec()


# --- noting what is done, in any process ----------------------------------------------------------

Event = tuple[str, str, float]
"""What happened, its label, its amount or its seconds."""

KEPT = 100_000
"""Events that wait to be sent up at most, some 10 MB; the oldest are dropped. A busy annotator makes 1,000 a second."""

_kept: deque[Event] | None = None


def keep() -> None:
    """From now on, keep what this process notes until it is taken, instead of counting it here."""
    global _kept
    _kept = deque(maxlen=KEPT)


def take() -> list[Event]:
    """What has been noted since the last time."""
    taken: list[Event] = []
    # Taken one by one: other threads go on appending meanwhile, and nothing may fall between two lists.
    while _kept:
        taken.append(_kept.popleft())
    return taken


def _note(what: str, label: str, value: float) -> None:
    if _kept is None:
        add(ANNOTATOR, [(what, label, value)])
    else:
        _kept.append((what, label, value))


def batch(inputs: int) -> None:
    """Note how many inputs a batch has."""
    _note("batch", "", inputs)


def settled(*, labelled: int, failed: int, annotations: int) -> None:
    """Note what a batch came to, once it is on disk."""
    _note("inputs", LABELLED, labelled)
    _note("inputs", FAILED, failed)
    _note("annotations", "", annotations)


def node(model_type: str, seconds: float) -> None:
    """Note how long a node of a workflow took."""
    _note("node", model_type, seconds)


class Laps:
    """A watch that notes how long each stage took, one behind the other."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def again(self) -> None:
        """Begin anew: what lies between belongs to other stages."""
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """End a stage, and begin the next."""
        now = time.perf_counter()
        _note("stage", stage, now - self._since)
        self._since = now


# --- counting what was noted, in the server's process ---------------------------------------------


class LastMinute:
    """How much came in the last 60 seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: deque[tuple[int, float]] = deque()

    def add(self, amount: float) -> None:
        """Something came now."""
        with self._lock:
            second = self._forget()
            if self._seconds and self._seconds[-1][0] == second:
                amount += self._seconds.pop()[1]
            self._seconds.append((second, amount))

    def rate(self) -> float:
        """The mean a second."""
        with self._lock:
            self._forget()
            return sum(amount for _, amount in self._seconds) / 60

    def _forget(self) -> int:
        now = int(self._clock())
        while self._seconds and self._seconds[0][0] <= now - 60:
            self._seconds.popleft()
        return now


# Made with 0, so that the first input is seen as an increase.
_rates = {process: LastMinute() for process in (ANNOTATOR, JOBS)}
for _process, _last_minute in _rates.items():
    INPUT_RATE.labels(_process).set_function(_last_minute.rate)
    ANNOTATIONS.labels(_process)
    for _outcome in OUTCOMES:
        INPUTS.labels(_process, _outcome)


for _outcome in AUDITED:
    AUDIT_ANSWERS.labels(_outcome)


def _settled(process: str, outcome: str, count: float) -> None:
    INPUTS.labels(process, outcome).inc(count)
    if process in _rates:
        _rates[process].add(count)


_COUNTERS: dict[str, Callable[[str, str], Callable[[float], None]]] = {
    "inputs": lambda process, outcome: partial(_settled, process, outcome),
    "annotations": lambda process, _: ANNOTATIONS.labels(process).inc,
    "batch": lambda process, _: BATCH_INPUTS.labels(process).observe,
    "stage": lambda process, stage: STAGE_SECONDS.labels(process, stage).observe,
    "node": lambda process, model_type: NODE_SECONDS.labels(process, model_type).observe,
}


@cache
def _counter(what: str, process: str, label: str) -> Callable[[float], None]:
    return _COUNTERS[what](process, label)


def add(process: str, events: Iterable[Event]) -> None:
    """Count what a process of this kind noted."""
    for what, label, value in events:
        _counter(what, process, label)(value)
