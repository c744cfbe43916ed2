"""The threads in which calls are answered: few while they come back quickly, more when all of them wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

PATIENCE = 0.01
"""Seconds for which nobody has taken a task before a thread is added. The executor of the standard library adds one at
once when none is idle: of 4 clients it made 6 threads, which fought for the interpreter, and a GetInput took 500 µs of
CPU where 4 threads took 420."""


class PatientPool(ThreadPoolExecutor):
    """A thread pool that goes beyond ``core`` threads only when a task has waited for all of them.

    Args:
        core: threads that are made as tasks come.
        most: how many there may be at last.
    """

    def __init__(self, core: int, most: int, thread_name_prefix: str = "") -> None:
        super().__init__(most, thread_name_prefix)
        self._core = core
        self._given = 0
        self._all_busy = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name=f"{thread_name_prefix}-watch", daemon=True)
        self._watcher.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As the standard library's."""
        self._given += 1
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As the standard library's."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._all_busy.set()

    def _adjust_thread_count(self) -> None:
        if len(self._threads) < self._core:
            super()._adjust_thread_count()
        elif not self._idle_semaphore.acquire(timeout=0):
            self._all_busy.set()

    def _watch(self) -> None:
        while not self._shutdown:
            self._all_busy.wait()
            self._all_busy.clear()
            taken = -1
            while (left := self._work_queue.qsize()) and not self._shutdown:
                if taken == (taken := self._given - left):
                    super()._adjust_thread_count()
                time.sleep(PATIENCE)
