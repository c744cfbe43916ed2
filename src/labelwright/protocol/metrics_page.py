"""``GET /metrics``: what the server counts of itself, in Prometheus' text format or in OpenMetrics."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labelwright import metrics
from labelwright.protocol import audit_estimates
from labelwright.protocol.dispatch import Server
from labelwright.store import queue
from labelwright.store.engine import Store

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a scrape waits for the store; Prometheus itself gives up after 10."""
FRESH, SHARE, OLDEST = 1.0, 20, 60.0
"""Seconds for which the store's answer counts: 1, or as many times as long as it took, so that counting a long queue
costs a twentieth of a core at most; but never more than 60."""


def routes(server: Server) -> list[BaseRoute]:
    """The route of ``GET /metrics``. It asks for no key, and shows nothing that is anybody's."""
    figures = _Figures(server.store)
    # A thread of its own, and one alone: the loop never waits, and many who ask share what one may cost. Not the
    # loop's own threads, whose end it waits for.
    writer = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    async def show(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await asyncio.get_running_loop().run_in_executor(writer, encode, figures)
        return Response(body, headers={"content-type": content_type})

    return [Route("/metrics", show, methods=["GET"])]


class _Figures(Collector):
    """All that a scrape shows: what is counted, and what the store says now."""

    def __init__(self, store: Store) -> None:
        self._depth = _Question("queue-depth", store, lambda conn: queue.depth(conn))
        # Apart: many answers to audits take longer to weigh than the queues to count, and say nothing of the store.
        self._alarms = _Question("audit-alarms", store, audit_estimates.alarms)

    def collect(self) -> Iterable[Metric]:
        self._alarms.ask()
        depth = self._depth.answer()
        alarms = self._alarms.answer()
        yield from metrics.REGISTRY.collect()
        yield GaugeMetricFamily(
            "labelwright_store_up",
            f"Whether the store said within {PATIENCE:g} seconds how deep its queues are.",
            value=depth is not None,
        )
        if depth is not None:
            inputs = {"waiting": depth.waiting, "in_progress": depth.in_progress}
            jobs = {"queued": depth.queued_jobs, "running": depth.running_jobs}
            yield _gauge("labelwright_queue_inputs", "Inputs that wait or are worked on, all apps together.", inputs)
            yield _gauge("labelwright_queue_jobs", "Jobs that wait or run, all apps together.", jobs)
        if alarms is not None:
            yield GaugeMetricFamily(
                "labelwright_audit_alarms",
                "Concepts and model versions whose audit found more mistakes than was promised, all apps together.",
                value=alarms,
            )


class _Question(Generic[T]):
    """One thing that the store is asked, in a thread: by one at a time, and no oftener than it is worth."""

    def __init__(self, name: str, store: Store, read: Callable[[Connection], T]) -> None:
        self._name = name
        self._store = store
        self._read = read
        self._answer: Future[T] | None = None
        self._asked = self._until = 0.0

    def ask(self) -> Future[T]:
        """The newest question, asked now where the answer to the one before is too old."""
        now = time.monotonic()
        # Never a second question beside one without an answer: a store that hangs would collect them.
        if self._answer is None or (self._answer.done() and now >= self._until):
            self._answer, self._asked = Future(), now
            threading.Thread(target=self._find, args=(self._answer,), name=self._name, daemon=True).start()
        return self._answer

    def answer(self) -> T | None:
        """What the store says; None where it fails, or takes too long."""
        answer = self.ask()
        try:
            return answer.result(max(0.0, self._asked + PATIENCE - time.monotonic()))
        except (TimeoutError, SQLAlchemyError, OSError):
            return None

    def _find(self, answer: Future[T]) -> None:
        try:
            with self._store.read() as conn:
                said = self._read(conn)
        except Exception as e:  # noqa: BLE001 (raised where the answer is read)
            self._until = time.monotonic() + FRESH
            answer.set_exception(e)
        else:
            now = time.monotonic()
            self._until = now + min(max(FRESH, SHARE * (now - self._asked)), OLDEST)
            answer.set_result(said)


def _gauge(name: str, documentation: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["state"])
    for state, value in values.items():
        family.add_metric([state], value)
    return family
