"""What flowed through the nodes is added up in the transaction that writes the labels; on both databases."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from sqlalchemy import delete, func, select, update

from labelwright.annotator import batch, commit
from labelwright.annotator.commit import Drafted, Flowed, Made
from labelwright.errors import InputFailed
from labelwright.operators.values import Draft
from labelwright.store import annotations as stored
from labelwright.store import apps, concepts, inputs, node_flows, queue
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept
from labelwright.store.engine import Store
from labelwright.store.node_flows import Flow
from labelwright.workflows.flows import NOTHING, NodeFlow
from tests.integration.test_commit import SUCCESS, World, whole
from tests.integration.test_queue import add_inputs, claim, new_app


@pytest.fixture
def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    app = new_app(store)
    pks = add_inputs(store, app, 3)
    with store.read() as conn:
        row = apps.by_pk(conn, app)
    made = World(store, pks, row)
    monkeypatch.setattr(batch, "make", lambda _plan, _app, rows, _intake, **_more: made.made(rows))
    return made


def flow_of(world: World, version: str = "v1") -> dict[str, Flow]:
    with world.store.read() as conn:
        rows = node_flows.of_version(conn, world.app.pk, version)
    return {name: Flow(*(getattr(row, n) for n in Flow._fields)) for name, row in rows.items()}


def drafted(node: str, *concepts_: tuple[str, float]) -> Drafted:
    return Drafted(Draft(whole(*concepts_), SUCCESS, "owner"), "model", node)


def say(world: World, pks: list[int] | None = None) -> None:
    """Two nodes: one that sees two concepts in each input, and one that writes those of all but the last."""
    pks = pks or world.pks
    went = [2] * (len(pks) - 1) + [NOTHING]
    flowed = Flowed(
        pks,
        {
            "sees": NodeFlow(range(len(pks)), (), [2] * len(pks)),
            "writes": NodeFlow(range(len(pks)), [2] * len(pks), went),
        },
    )
    world.says = {pk: Made(drafts=[drafted("writes", ("cat", 0.5), ("dog", 0.5))], flowed=flowed) for pk in pks}
    world.says[pks[-1]].drafts = []


def test_a_batch_is_added_up(world: World) -> None:
    say(world)
    world.ingest()
    once = {"sees": Flow(3, 3, 0, 6, 0), "writes": Flow(3, 2, 6, 4, 2)}
    assert flow_of(world) == once
    world.pks += add_inputs(world.store, world.app.pk, 3)
    say(world, world.pks[3:])
    world.ingest()
    assert flow_of(world) == {name: Flow(*(2 * n for n in flow)) for name, flow in once.items()}
    assert flow_of(world, "v2") == {}


def test_a_run_over_them_again_counts_too(world: World) -> None:
    say(world)
    world.ingest()
    say(world)
    world.rerun(limit=10)
    assert flow_of(world) == {"sees": Flow(6, 6, 0, 12, 0), "writes": Flow(6, 4, 12, 8, 4)}
    world.version = "v2"
    say(world)
    world.rerun(limit=10)
    assert flow_of(world, "v2") == {"sees": Flow(3, 3, 0, 6, 0), "writes": Flow(3, 2, 6, 4, 2)}
    assert flow_of(world)["sees"].reached == 6


def test_what_a_persons_word_took_away_was_not_written(world: World) -> None:
    with world.store.write() as conn:
        keys = concepts.ensure(conn, world.app.pk, {"cat": "", "dog": ""})
        said = [NewConcept(key, 1.0) for key in keys.values()]
        stored.add(conn, world.app.pk, [NewAnnotation(world.pks[0], "owner", SUCCESS, t.PERSON, b"", said)])
    say(world)
    assert world.ingest().wrote == 1
    assert flow_of(world)["writes"] == Flow(3, 2, 6, 4, 1)


def test_each_writer_is_counted_by_itself(world: World) -> None:
    pk = world.pks[0]
    flowed = Flowed([pk], {name: NodeFlow([0], [1], [1]) for name in ("one", "other")})
    drafts = [drafted("one", ("a", 1)), drafted("one", ("b", 1)), drafted("other", ("a", 1))]
    world.says = {pk: Made(drafts, flowed=flowed)}
    world.ingest()
    assert {name: flow.wrote for name, flow in flow_of(world).items()} == {"one": 2, "other": 1}


def test_inputs_that_failed_or_were_lost_are_left_out(world: World) -> None:
    say(world)
    world.says[world.pks[0]].error = InputFailed("no good")
    claimed = claim(world.store, world.app.pk)
    assert claimed is not None
    with world.store.write() as conn:
        conn.execute(update(t.inputs).where(t.inputs.c.pk == world.pks[2]).values(lease=None))
        commit.commit_batch(conn, world.app, claimed, world.default(), world.made(claimed.inputs))
    assert flow_of(world) == {"sees": Flow(1, 1, 0, 2, 0), "writes": Flow(1, 1, 2, 2, 1)}


def test_a_batch_that_is_given_up_counts_nothing(world: World) -> None:
    say(world)
    claimed = claim(world.store, world.app.pk)
    assert claimed is not None

    def give_up(claimed: queue.Claim) -> None:
        with world.store.write() as conn:
            commit.commit_batch(conn, world.app, claimed, world.default(), world.made(claimed.inputs))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        give_up(claimed)
    assert flow_of(world) == {}


def test_an_apps_flows_go_with_it(world: World) -> None:
    say(world)
    world.ingest()
    with world.store.write() as conn:
        conn.execute(delete(t.apps).where(t.apps.c.pk == world.app.pk))
        assert conn.execute(select(func.count()).select_from(t.node_flows)).scalar() == 0


def test_two_workers_that_count_at_once_lose_nothing(world: World) -> None:
    def add(order: int) -> None:
        names = ["a", "b", "c"][::order]
        for _ in range(20):
            with world.store.write() as conn:
                node_flows.add(conn, world.app.pk, "v1", {name: Flow(1, 1, 1, 1, 1) for name in names})

    threads = [threading.Thread(target=add, args=(order,)) for order in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert flow_of(world) == {name: Flow(40, 40, 40, 40, 40) for name in "abc"}


def test_no_nodes_are_no_statement(world: World) -> None:
    node_flows.add(cast(Any, None), world.app.pk, "v1", {})
    world.ingest()
    assert flow_of(world) == {}
    with world.store.read() as conn:
        assert inputs.counts(conn, world.app.pk) == {t.DONE: 3}
