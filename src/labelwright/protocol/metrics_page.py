"""``GET /metrics``: what the server counts of itself, in Prometheus' text format or in OpenMetrics."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labelwright import metrics
from labelwright.protocol import audit_estimates
from labelwright.protocol.dispatch import Server
from labelwright.store import queue
from labelwright.store.engine import Store
from labelwright.store.queue import Depth

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
        self._store = store
        self._answer: Future[tuple[Depth, int]] | None = None
        self._asked = self._until = 0.0

    def collect(self) -> Iterable[Metric]:
        answer = self._said()
        yield from metrics.REGISTRY.collect()
        yield GaugeMetricFamily(
            "labelwright_store_up",
            f"Whether the store said within {PATIENCE:g} seconds how deep its queues are.",
            value=answer is not None,
        )
        if answer is not None:
            depth, alarms = answer
            inputs = {"waiting": depth.waiting, "in_progress": depth.in_progress}
            jobs = {"queued": depth.queued_jobs, "running": depth.running_jobs}
            yield _gauge("labelwright_queue_inputs", "Inputs that wait or are worked on, all apps together.", inputs)
            yield _gauge("labelwright_queue_jobs", "Jobs that wait or run, all apps together.", jobs)
            yield GaugeMetricFamily(
                "labelwright_audit_alarms",
                "Concepts and model versions whose audit found more mistakes than was promised, all apps together.",
                value=alarms,
            )

    def _said(self) -> tuple[Depth, int] | None:
        """How deep the queues are, and how many audits are in alarm; None where the store fails, or takes too long."""
        now = time.monotonic()
        # Never a second question beside one without an answer: a store that hangs would collect them.
        if self._answer is None or (self._answer.done() and now >= self._until):
            self._answer, self._asked = Future(), now
            threading.Thread(target=self._ask, args=(self._answer,), name="queue-depth", daemon=True).start()
        try:
            return self._answer.result(max(0.0, self._asked + PATIENCE - now))
        except (TimeoutError, SQLAlchemyError, OSError):
            return None

    def _ask(self, answer: Future[tuple[Depth, int]]) -> None:
        try:
            with self._store.read() as conn:
                said = queue.depth(conn), audit_estimates.alarms(conn)
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
