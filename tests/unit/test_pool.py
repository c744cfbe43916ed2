"""Threads for calls: few while they are quick, as many as it takes when they wait."""

from __future__ import annotations

import threading

from labelwright.protocol.pool import PatientPool


def test_quick_tasks_share_the_core_threads() -> None:
    with PatientPool(2, 50, "quick") as pool:
        names = {f.result() for f in [pool.submit(lambda: threading.current_thread().name) for _ in range(500)]}
    assert len(names) <= 2


def test_tasks_that_wait_hold_up_nobody() -> None:
    gate = threading.Event()
    with PatientPool(2, 50, "slow") as pool:
        waiting = [pool.submit(gate.wait, 30) for _ in range(20)]
        assert pool.submit(lambda: "answered").result(30) == "answered"
        assert not any(f.done() for f in waiting)
        gate.set()
        assert all(f.result(30) for f in waiting)


def test_there_are_no_more_threads_than_it_may_have() -> None:
    gate = threading.Event()
    with PatientPool(1, 3, "few") as pool:
        waiting = [pool.submit(gate.wait, 30) for _ in range(6)]
        last = pool.submit(lambda: threading.active_count())
        gate.set()
        assert all(f.result(30) for f in waiting)
        assert last.result(30) > 0
        assert len([t for t in threading.enumerate() if t.name.startswith("few_")]) <= 3


def test_it_ends_with_its_watcher() -> None:
    pool = PatientPool(1, 2, "ending")
    assert pool.submit(lambda: 1).result(30) == 1
    pool.shutdown()
    assert not [t for t in threading.enumerate() if t.name.startswith("ending") and not _ends(t)]


def _ends(thread: threading.Thread) -> bool:
    thread.join(30)
    return not thread.is_alive()
