"""What an audit costs others, on both databases: long draws, sums after each answer, scrapes; keys used once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from clarifai_grpc.grpc.api import service_pb2
from sqlalchemy import Connection, delete, select, text

from labelwright.errors import DoesNotExist
from labelwright.protocol import audit_answers, audit_estimates, remembered
from labelwright.protocol.audit_alarms import watch_of
from labelwright.protocol.dispatch import Server
from labelwright.protocol.remembered import Remembered
from labelwright.store import audits as stored
from labelwright.store import draws
from labelwright.store import tables as t
from labelwright.store.engine import Store
from tests.integration.some_reviews import Reviewer
from tests.integration.test_audits import Client, answer, answer_all, app_of, draw, drawn, labelled, promise, take
from tests.integration.test_metrics import opened


def test_no_item_gets_the_key_of_one_that_is_gone(client: Client) -> None:
    labelled(client, 6)
    draw(client, n=3)
    me = Reviewer(client)
    newest = drawn(client)[-1]
    take(me, 3)
    with client.server.store.read() as conn:
        (input_id,) = conn.execute(select(t.inputs.c.id).where(t.inputs.c.pk == newest.input)).one()
    client.call("DeleteInput", service_pb2.DeleteInputRequest(input_id=input_id))
    assert draw(client, n=3).drawn == 3
    assert newest.pk not in {item.pk for item in drawn(client)}
    # What a page still shows of it is an answer to nothing.
    assert answer(me, (str(newest.pk), "no")) == [{"item": str(newest.pk), "state": "gone"}]
    assert [item.answer for item in drawn(client)] == [None] * 5


def test_migrations_make_keys_as_the_tables_say(store: Store) -> None:
    if store.engine.dialect.name != "sqlite":
        pytest.skip("a sequence of PostgreSQL gives no number twice")
    with store.read() as conn:
        rows = conn.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        made: dict[str, str] = {row.name: row.sql for row in rows}
    for name, table in t.metadata.tables.items():
        assert ("AUTOINCREMENT" in made[name]) == bool(table.dialect_options["sqlite"]["autoincrement"]), name


@contextmanager
def before_write(number: int, do: Any) -> Iterator[list[int]]:
    """Do something just before a store's transaction of that number, which writes; the list counts them."""
    write, begun = Store.write, [0]

    @contextmanager
    def counted(store: Store) -> Iterator[Connection]:
        begun[0] += 1
        if begun[0] == number:
            do()
        with write(store) as conn:
            yield conn

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Store, "write", counted)
        yield begun


def test_a_long_draw_is_written_in_turns_and_no_label_is_drawn_twice(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = labelled(client, 10)
    monkeypatch.setattr(stored, "WRITTEN", 4)
    others: list[stored.Drawn] = []
    with client.server.store.read() as conn:
        chosen, _ = stored.choose(conn, app_of(client).pk, rate=1.0, n=None, versions=None, seed=7)
        pks = dict(conn.execute(select(t.annotations.c.id, t.annotations.c.pk)).all())
    # Another draw comes between the first turn and the second.
    with before_write(2, lambda: others.append(draw(client, n=3))) as begun:
        first = draw(client, rate=1.0, seed=7)
    assert begun == [4]
    assert (first.drawn, first.of, others[0].drawn, others[0].of) == (7, 10, 3, 6)
    items = drawn(client)
    assert sorted(i.annotation_id for i in items) == sorted(ids)
    # In the order of chance, whatever is missing.
    mine = [pks[i.annotation_id] for i in items if i.draw_id == first.id]
    assert mine == [pk for pk, _ in chosen if pk in mine]
    assert {i.chance for i in items if i.draw_id == first.id} == {1.0}


def test_an_app_that_goes_while_it_is_drawn_from(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled(client, 6)
    app = app_of(client)
    monkeypatch.setattr(stored, "WRITTEN", 4)

    def away() -> None:
        with client.server.store.engine.begin() as conn:
            conn.execute(delete(t.apps).where(t.apps.c.pk == app.pk))

    with before_write(2, away), pytest.raises(DoesNotExist, match="deleted meanwhile"):
        draw(client, rate=1.0)
    with client.server.store.read() as conn:
        assert draws.drawn(conn, app.pk) == []


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The model versions of each look at answers."""
    asked: list[Any] = []
    tallies = stored.tallies

    def noted(conn: Connection, app: int | None = None, versions: Any = None) -> Any:
        asked.append(versions)
        return tallies(conn, app, versions)

    monkeypatch.setattr(stored, "tallies", noted)
    return asked


def test_an_answer_looks_at_what_was_promised_of_its_version_once(client: Client, looked: list[Any]) -> None:
    labelled(client, 6)
    draw(client, rate=1.0)
    me = Reviewer(client)
    answer_all(me, ["yes"])
    # Nothing was promised.
    assert looked == []
    promise(client)
    answer_all(me, ["yes"])
    answer_all(me, ["no"])
    assert looked == [{"version"}] * 2
    me.call(audit_answers.undo)
    assert looked == [{"version"}] * 3


class Clock:
    """Seconds: one a look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def test_many_answers_are_looked_at_now_and_then_and_no_alarm_is_lost(
    client: Client, looked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MANY", 1)
    labelled(client, 20)
    promise(client, 0.05)
    draw(client, rate=1.0)
    me, clock = Reviewer(client), Clock()
    monkeypatch.setattr(watch_of(client.server.store), "_looks", Remembered(clock))
    with structlog.testing.capture_logs() as logs:
        answer_all(me, ["yes"])
        looked.clear()
        answer_all(me, ["no"] * 8)
        assert (looked, logs) == ([], [])
        clock.now += 100
        answer_all(me, ["yes"])
        answer_all(me, ["yes"])
    assert looked == [{"version"}]
    (line,) = logs
    assert "8 of 10" in line["reason"]


def test_answers_that_take_long_to_weigh_say_nothing_of_the_store(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def slow(_conn: Connection) -> int:
        go_on.wait(60)
        return 3

    monkeypatch.setattr(audit_estimates, "alarms", slow)
    with opened(server) as page:
        samples = {name: value for (name, _), value in page.samples().items()}
        assert samples["labelwright_store_up"] == 1
        assert "labelwright_queue_jobs" in samples
        assert "labelwright_audit_alarms" not in samples
        go_on.set()
        # The answer is there as soon as its thread is on.
        assert any(page.value("labelwright_audit_alarms") == 3 for _ in range(1000))
