"""Counting: what is noted elsewhere arrives once, the last minute is a minute, and no label grows without bound."""

from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright import metrics


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that keeps what it notes."""
    # So that what `keep` sets is set back.
    monkeypatch.setattr(metrics, "_kept", None)
    metrics.keep()


def test_a_call_is_counted_under_its_name_its_code_and_its_seconds() -> None:
    def seen() -> tuple[float, ...]:
        return (
            value("labelwright_calls_total", rpc="SomeRpc", code="10000"),
            value("labelwright_calls_total", rpc="SomeRpc", code="11102"),
            value("labelwright_call_seconds_bucket", rpc="SomeRpc", le="0.0005"),
            value("labelwright_call_seconds_bucket", rpc="SomeRpc", le="0.25"),
            value("labelwright_call_seconds_count", rpc="SomeRpc"),
        )

    before = seen()
    metrics.call("SomeRpc", 10000, 0.25)
    metrics.call("SomeRpc", 11102, 0.0004)
    metrics.call("SomeRpc", 10000, 31)
    assert [b - a for a, b in zip(before, seen(), strict=True)] == [2, 1, 1, 2, 3]


def test_what_a_child_notes_is_kept_until_it_is_taken(child: None) -> None:
    before = value("labelwright_inputs_total", process="annotator", outcome="labelled")
    laps = metrics.Laps()
    laps.lap("claim")
    metrics.batch(3)
    metrics.node("concept-threshold", 0.5)
    metrics.settled(labelled=2, failed=1, annotations=4)
    assert value("labelwright_inputs_total", process="annotator", outcome="labelled") == before
    taken = metrics.take()
    assert [(what, label) for what, label, _ in taken] == [
        ("stage", "claim"),
        ("batch", ""),
        ("node", "concept-threshold"),
        ("inputs", "labelled"),
        ("inputs", "failed"),
        ("annotations", ""),
    ]
    assert [number for _, _, number in taken[1:]] == [3, 0.5, 2, 1, 4]
    assert taken[0][2] >= 0
    assert metrics.take() == []


def test_what_was_taken_is_counted_for_the_process_that_noted_it(child: None) -> None:
    def seen() -> tuple[float, ...]:
        return (
            value("labelwright_inputs_total", process="jobs", outcome="labelled"),
            value("labelwright_inputs_total", process="jobs", outcome="failed"),
            value("labelwright_inputs_total", process="annotator", outcome="labelled"),
            value("labelwright_annotations_total", process="jobs"),
            value("labelwright_batch_inputs_sum", process="jobs"),
            value("labelwright_stage_seconds_count", process="jobs", stage="claim"),
            value("labelwright_node_seconds_sum", process="jobs", model_type="concept-threshold"),
            value("labelwright_inputs_per_second", process="jobs") * 60,
        )

    laps = metrics.Laps()
    laps.lap("claim")
    metrics.batch(3)
    metrics.node("concept-threshold", 0.5)
    metrics.settled(labelled=2, failed=1, annotations=4)
    before = seen()
    metrics.add("jobs", metrics.take())
    assert [b - a for a, b in zip(before, seen(), strict=True)] == pytest.approx([2, 1, 0, 4, 3, 1, 0.5, 3])


def test_nothing_falls_between_two_takes(child: None) -> None:
    def note() -> None:
        for _ in range(5000):
            metrics.batch(1)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    taken = []
    while any(thread.is_alive() for thread in threads):
        taken += metrics.take()
    taken += metrics.take()
    assert len(taken) == 20_000


def test_a_parent_that_does_not_listen_costs_a_bounded_memory(child: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_kept", deque(maxlen=10))
    for i in range(25):
        metrics.batch(i)
    assert [number for _, _, number in metrics.take()] == list(range(15, 25))


def test_without_a_parent_it_is_counted_at_once() -> None:
    before = value("labelwright_annotations_total", process="annotator")
    metrics.settled(labelled=1, failed=0, annotations=7)
    assert value("labelwright_annotations_total", process="annotator") == before + 7


@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 1000)), max_size=30), st.floats(0, 200))
def test_the_last_minute_is_sixty_seconds(steps: list[tuple[float, int]], more: float) -> None:
    now = 1000.0
    minute = metrics.LastMinute(lambda: now)
    came = []
    for wait, amount in steps:
        now += wait
        minute.add(amount)
        came.append((now, amount))
    now += more
    assert minute.rate() * 60 == pytest.approx(sum(a for at, a in came if int(at) > int(now) - 60))


def test_processes_come_and_go() -> None:
    before = value("labelwright_processes", process="annotator")
    metrics.started("annotator")
    metrics.started("annotator")
    metrics.ended("annotator")
    assert value("labelwright_processes", process="annotator") == before + 1
    metrics.ended("annotator")
    assert value("labelwright_processes", process="annotator") == before


def test_every_series_is_there_before_its_first_increase() -> None:
    for process in ("annotator", "jobs"):
        for outcome in ("labelled", "failed"):
            labels = {"process": process, "outcome": outcome}
            assert metrics.REGISTRY.get_sample_value("labelwright_inputs_total", labels) is not None
        assert metrics.REGISTRY.get_sample_value("labelwright_inputs_per_second", {"process": process}) is not None


def test_no_label_can_hold_what_is_anybody_s() -> None:
    """Apps, users and inputs are no labels: who may scrape may see no one's."""
    metrics.call("SomeRpc", 10000, 0.1)
    ours = {"rpc", "code", "process", "outcome", "stage", "model_type", "le", "version"}
    for family in metrics.REGISTRY.collect():
        if family.name.startswith("labelwright_"):
            assert {name for sample in family.samples for name in sample.labels} <= ours
            assert family.documentation.endswith(".")
