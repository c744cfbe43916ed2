"""The queue of inputs as a state machine, and under threads that race for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, update

from labelwright.ids import new_id
from labelwright.store import apps, inputs, jobs, queue, users
from labelwright.store import tables as t
from labelwright.store.engine import Store

HERE = queue.this_process()


def new_app(store: Store) -> int:
    with store.write() as conn:
        users.ensure_user(conn, "somebody")
        return apps.add(conn, user_id="somebody", id=new_id(), wire=b"", default_workflow=None)


def add_inputs(store: Store, app: int, count: int) -> list[int]:
    with store.write() as conn:
        ids = [new_id() for _ in range(count)]
        inputs.add(conn, app, [inputs.NewInput(i, b"") for i in ids])
        return sorted(inputs.keys(conn, app, ids).values())


def claim(
    store: Store, app: int, limit: int = 64, holder: queue.Holder = HERE, *, alone_first: bool = False
) -> queue.Claim | None:
    with store.write() as conn:
        return queue.claim(conn, holder, app, limit=limit, seconds=30, alone_first=alone_first)


def rows_of(store: Store, app: int) -> dict[int, Any]:
    with store.read() as conn:
        return {row.pk: row for row in conn.execute(select(t.inputs).where(t.inputs.c.app == app))}


@dataclass
class Expected:
    status: int = t.PENDING
    alone: int = 0
    strikes: int = 0
    lease: str | None = None


class Queue(RuleBasedStateMachine):
    """Does to the queue what servers do, and to a dict what should come of it."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.app = new_app(store)
        self.inputs: dict[int, Expected] = {}
        self.claims: dict[str, list[int]] = {}
        """Lease to the inputs that it was given, deleted ones included; ended leases stay."""
        self.ended: set[str] = set()

    def held(self, lease: str) -> list[int]:
        return [pk for pk, e in self.inputs.items() if e.lease == lease]

    def running(self) -> list[str]:
        return sorted(set(self.claims) - self.ended)

    @rule(count=st.integers(1, 5))
    def add(self, count: int) -> None:
        self.inputs |= {pk: Expected() for pk in add_inputs(self.store, self.app, count)}

    @rule(limit=st.integers(1, 4), alone_first=st.booleans())
    def take(self, limit: int, alone_first: bool) -> None:
        waiting = [(e.alone, pk) for pk, e in sorted(self.inputs.items()) if e.status == t.PENDING]
        together = [pk for alone, pk in waiting if not alone][:limit]
        single = [pk for alone, pk in waiting if alone][:1]
        expected = (single or together) if alone_first else (together or single)
        got = claim(self.store, self.app, limit, alone_first=alone_first)
        assert (sorted(r.pk for r in got.inputs) if got else []) == expected
        if got:
            self.claims[got.lease] = expected
            for pk in expected:
                self.inputs[pk].status, self.inputs[pk].lease = t.IN_PROGRESS, got.lease

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        """As a worker does, which may not know yet that its lease was taken away."""
        lease = data.draw(st.sampled_from(sorted(self.claims)))
        good = set(data.draw(st.lists(st.sampled_from(self.claims[lease]))))
        with self.store.write() as conn:
            held = queue.still_held(conn, lease)
            assert held == set(self.held(lease))
            done = dict.fromkeys(held & good)
            failed = dict.fromkeys(held - good, (t.FAILED, "why", None))
            queue.finish(conn, lease, done=done, failed=failed, workflow_version_id="v")
        for pk in held:
            self.inputs[pk].status, self.inputs[pk].lease = t.DONE if pk in good else t.FAILED, None
        self.ended.add(lease)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(sorted(self.claims)))
        with self.store.write() as conn:
            queue.give_back(conn, lease)
        for pk in self.held(lease):
            self.inputs[pk].status, self.inputs[pk].lease = t.PENDING, None
        self.ended.add(lease)

    @precondition(lambda self: self.running())
    @rule(data=st.data(), late=st.booleans())
    def worker_dies(self, data: st.DataObject, late: bool) -> None:
        """Its parent sees it die, or nobody renews its lease."""
        lease = data.draw(st.sampled_from(self.running()))
        with self.store.write() as conn:
            if late:
                conn.execute(update(t.leases).where(t.leases.c.id == lease).values(expires_at=1))
                assert queue.expired(conn) == [lease]
            queue.take_away(conn, lease)
            assert queue.expired(conn) == []
        held = self.held(lease)
        for pk in held:
            e = self.inputs[pk]
            e.status, e.lease, e.alone = t.PENDING, None, 1
            if len(held) == 1:
                e.strikes += 1
                e.status = t.FAILED if e.strikes >= 3 else t.PENDING
        self.ended.add(lease)

    @precondition(lambda self: self.inputs)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        pk = data.draw(st.sampled_from(sorted(self.inputs)))
        with self.store.write() as conn:
            row = conn.execute(select(t.inputs.c.id).where(t.inputs.c.pk == pk)).one()
            inputs.remove(conn, self.app, [row.id])
        del self.inputs[pk]

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(sorted(self.claims)))
        with self.store.write() as conn:
            assert queue.renew(conn, lease, 30) == (lease not in self.ended)

    @invariant()
    def stands_as_expected(self) -> None:
        rows = rows_of(self.store, self.app)
        found = {pk: Expected(r.status_code, r.alone, r.strikes, r.lease) for pk, r in rows.items()}
        assert found == self.inputs
        with self.store.read() as conn:
            leases = set(conn.execute(select(t.leases.c.id)).scalars())
        assert leases & set(self.claims) == set(self.running())

    def teardown(self) -> None:
        with self.store.write() as conn:
            for lease in self.running():
                queue.give_back(conn, lease)
            apps.remove(conn, self.app)


def test_no_input_is_lost_doubled_or_punished_for_another(store: Store) -> None:
    run_state_machine_as_test(
        # It asks for a class, and calls it.
        cast(Any, lambda: Queue(store)),
        settings=hypothesis_settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_two_claimers_never_get_the_same_input(store: Store) -> None:
    app = new_app(store)
    added = add_inputs(store, app, 300)
    got: list[int] = []
    sizes: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        while (mine := claim(store, app, 7)) is not None:
            with lock:
                got.extend(r.pk for r in mine.inputs)
                sizes.append(len(mine.inputs))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == added
    assert max(sizes) <= 7


def test_an_input_fails_at_its_third_strike_and_says_why(store: Store) -> None:
    app = new_app(store)
    (pk,) = add_inputs(store, app, 1)
    for strikes in (1, 2, 3):
        mine = claim(store, app)
        assert mine is not None
        with store.write() as conn:
            queue.take_away(conn, mine.lease)
        assert rows_of(store, app)[pk].strikes == strikes
    row = rows_of(store, app)[pk]
    assert row.status_code == t.FAILED
    assert row.status_details == queue.DEADLY
    assert claim(store, app) is None


def test_no_app_starves_another(store: Store) -> None:
    first, second, empty = new_app(store), new_app(store), new_app(store)
    add_inputs(store, first, 2)
    add_inputs(store, second, 1)
    with store.read() as conn:
        assert [queue.waiting_app(conn, after) for after in (0, first, second, empty)] == [first, second, first, first]
        assert queue.anything_waits(conn)


def test_leases_of_the_dead_are_found_and_given_back(store: Store) -> None:
    app = new_app(store)
    add_inputs(store, app, 4)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = queue.Holder(HERE.host, gone.pid, "1")
    reborn = queue.Holder(HERE.host, os.getpid(), "1")
    elsewhere = queue.Holder(f"not-{HERE.host}", gone.pid, "1")
    leases = {}
    for name, holder in (("dead", dead), ("reborn", reborn), ("elsewhere", elsewhere), ("alive", HERE)):
        mine = claim(store, app, 1, holder)
        assert mine is not None
        leases[name] = mine.lease
    with store.write() as conn:
        orphaned = set(queue.orphaned(conn))
        assert orphaned == {leases["dead"], leases["reborn"]}
        for lease in orphaned:
            queue.give_back(conn, lease)
        assert set(queue.leases_of(conn, os.getpid())) == {leases["alive"]}
    after = sorted(rows_of(store, app).values(), key=lambda r: r.pk)
    assert [r.status_code for r in after] == [t.PENDING, t.PENDING, t.IN_PROGRESS, t.IN_PROGRESS]
    assert [(r.alone, r.strikes) for r in after] == [(0, 0)] * 4


def test_finishing_keeps_the_media_and_the_reason(store: Store) -> None:
    app = new_app(store)
    fetched, given, broken, unread = add_inputs(store, app, 4)
    with store.write() as conn:
        conn.execute(update(t.inputs).where(t.inputs.c.pk.in_([given, unread])).values(media="old"))
    mine = claim(store, app)
    assert mine is not None
    failed = {broken: (t.FAILED, "broken", "new"), unread: (30104, "unread", None)}
    with store.write() as conn:
        done = {fetched: "new", given: None}
        queue.finish(conn, mine.lease, done=done, failed=failed, workflow_version_id="v")
    rows = rows_of(store, app)
    assert {pk: (r.status_code, r.media, r.status_details, r.workflow_version_id) for pk, r in rows.items()} == {
        fetched: (t.DONE, "new", "", "v"),
        given: (t.DONE, "old", "", "v"),
        broken: (t.FAILED, "new", "broken", None),
        unread: (30104, "old", "unread", None),
    }


def test_a_lease_over_a_job_is_given_back_and_taken_away_like_any(store: Store) -> None:
    app = new_app(store)
    with store.write() as conn:
        job_id = jobs.add(conn, app, kind="rerun", params={})
    for strikes, end in ((0, queue.give_back), (1, queue.take_away), (1, queue.give_back), (2, queue.take_away)):
        with store.write() as conn:
            job = jobs.claim(conn, HERE, seconds=30)
            assert job is not None
            end(conn, job.lease)
            row = jobs.get(conn, job_id)
            assert row is not None
            assert (row.state, row.lease, row.strikes) == (jobs.QUEUED, None, strikes)
