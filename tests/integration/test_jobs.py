"""The lane of long work: who has a job, how far it is, and what it goes on from."""

from __future__ import annotations

import threading

import pytest

from labelwright.store import jobs, queue, runs
from labelwright.store.engine import Store
from tests.integration.test_queue import HERE, new_app


def test_a_job_has_one_holder(store: Store) -> None:
    app = new_app(store)
    with store.write() as conn:
        ids = {jobs.add(conn, app, kind="rerun", params={"n": n}) for n in range(20)}
    got: list[str] = []
    lock = threading.Lock()

    def work() -> None:
        while True:
            with store.write() as conn:
                job = jobs.claim(conn, HERE, seconds=30)
            if job is None:
                return
            with lock:
                got.append(job.id)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 20
    assert set(got) == ids


def test_a_job_goes_on_from_its_cursor_by_turns(store: Store) -> None:
    app = new_app(store)
    with store.write() as conn:
        first = jobs.add(conn, app, kind="rerun", params={"missing": True}, total=9)
        second = jobs.add(conn, app, kind="rerun", params={})
        job = jobs.claim(conn, HERE, seconds=30)
        assert job is not None
        assert (job.id, job.total, job.params) == (first, 9, {"missing": True})
        assert jobs.advance(conn, job.pk, job.lease, cursor={"after": 7}, done=jobs.plus("done", 3))
    with store.write() as conn:
        queue.give_back(conn, job.lease)
    with store.write() as conn:
        assert jobs.waiting(conn)
        # The first has had its turn.
        other = jobs.claim(conn, HERE, seconds=30)
        assert other is not None
        assert other.id == second
        again = jobs.claim(conn, HERE, seconds=30, job_id=first)
        assert again is not None
        assert (again.cursor, again.done) == ({"after": 7}, 3)
        assert not jobs.waiting(conn)
        assert jobs.claim(conn, HERE, seconds=30) is None
        assert jobs.claim(conn, HERE, seconds=30, job_id=first) is None
        assert jobs.claim(conn, HERE, seconds=30, job_id="no such job") is None
        assert [j.id for j in jobs.unfinished(conn, app, "rerun")] == [first, second]
        assert jobs.unfinished(conn, app, "export") == []


@pytest.mark.parametrize("by", ["ended", "taken away"])
def test_who_lost_a_job_can_not_advance_it(store: Store, by: str) -> None:
    app = new_app(store)
    with store.write() as conn:
        job_id = jobs.add(conn, app, kind="rerun", params={})
        job = jobs.claim(conn, HERE, seconds=30)
        assert job is not None
        if by == "ended":
            jobs.end(conn, job.pk, jobs.BROKEN, "undone")
        else:
            queue.take_away(conn, job.lease)
    with store.write() as conn:
        assert not jobs.advance(conn, job.pk, job.lease, cursor={"after": 1}, done=1)
        row = jobs.get(conn, job_id)
        assert row is not None
        assert (row.cursor, row.done) == ({}, 0)
        # A final state stays final when the lease ends.
        queue.give_back(conn, job.lease)
        row = jobs.get(conn, job_id)
        assert row is not None
        assert row.state == (jobs.BROKEN if by == "ended" else jobs.QUEUED)
        assert row.message == ("undone" if by == "ended" else "")


def test_the_job_of_a_run_is_found_while_it_is_unfinished(store: Store) -> None:
    app = new_app(store)
    with store.write() as conn:
        run = runs.add(conn, app, runs.RERUN, "v")
        other = runs.add(conn, app, runs.RERUN, "v")
        job_id = jobs.add(conn, app, kind="rerun", params={})
        job = jobs.claim(conn, HERE, seconds=30)
        assert job is not None
        jobs.advance(conn, job.pk, job.lease, cursor={"run": run.pk})
        found = jobs.of_run(conn, run.pk, app)
        assert found is not None
        assert found.id == job_id
        assert jobs.of_run(conn, other.pk, app) is None
        jobs.end(conn, job.pk, jobs.COMPLETED)
        assert jobs.of_run(conn, run.pk, app) is None
