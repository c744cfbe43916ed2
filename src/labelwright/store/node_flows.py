"""How much went through each node of a workflow's version."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, select

from labelwright.store import tables as t
from labelwright.store.engine import now


class Flow(NamedTuple):
    """What went through one node."""

    reached: int
    """Inputs that came to it."""
    passed: int
    """Inputs of which it handed something on."""
    concepts_in: int
    concepts_out: int
    """Concepts in all places of these inputs; 0 for a node that concepts do not matter to."""
    wrote: int = 0
    """Annotations that were written of its drafts."""


_NUMBERS = Flow._fields
_KEY = ("app", "workflow_version_id", "node_id")


@cache
def _statement(mark: str, rows: int) -> str:
    # Text of our own, since it is asked by every batch: SQLAlchemy puts a VALUES of several rows together anew each
    # time. It is the same for a workflow's every batch.
    row = f"({', '.join([mark] * (len(_KEY) + len(_NUMBERS) + 1))})"
    adds = ", ".join(f"{name} = node_flows.{name} + excluded.{name}" for name in _NUMBERS)
    return (
        f"INSERT INTO node_flows ({', '.join((*_KEY, *_NUMBERS, 'modified_at'))}) "  # noqa: S608 (names of ours)
        f"VALUES {', '.join([row] * rows)} "
        f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {adds}, modified_at = excluded.modified_at"
    )


def add(conn: Connection, app: int, workflow_version_id: str, flows: Mapping[str, Flow]) -> None:
    """Add what went through the nodes (by id) of a version, in one statement."""
    if not flows:
        return
    at = now()
    # In the order of their ids: two transactions that lock the same rows never wait for each other in a circle.
    values = [value for node_id in sorted(flows) for value in (app, workflow_version_id, node_id, *flows[node_id], at)]
    mark = "%s" if conn.dialect.name == "postgresql" else "?"
    conn.exec_driver_sql(_statement(mark, len(flows)), tuple(values))


def of_version(conn: Connection, app: int, workflow_version_id: str) -> dict[str, Row[Any]]:
    """Node id to what went through it in this app, for nodes that something came to."""
    n = t.node_flows.c
    query = select(t.node_flows).where(n.app == app, n.workflow_version_id == workflow_version_id)
    return {row.node_id: row for row in conn.execute(query)}
