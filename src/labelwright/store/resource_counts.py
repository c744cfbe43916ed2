"""How much there is in apps."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, select

from labelwright.store.tables import inputs, models, workflows

COUNTED = {"models": models, "workflows": workflows, "inputs": inputs}


def of_apps(conn: Connection, pks: Iterable[int]) -> dict[int, dict[str, int]]:
    """App key to the number of its models, workflows and inputs, by these names."""
    wanted = list(pks)
    found = {pk: dict.fromkeys(COUNTED, 0) for pk in wanted}
    for name, table in COUNTED.items():
        query = select(table.c.app, func.count().label("n")).where(table.c.app.in_(wanted)).group_by(table.c.app)
        for row in conn.execute(query):
            found[row.app][name] = row.n
    return found
