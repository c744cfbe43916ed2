"""The queue of inputs: the status column claimed by the batch, under a lease.

PENDING → IN_PROGRESS (claimed) → DONE or FAILED. A lease that nobody renews ends; its inputs are then
waiting again, each to be run alone, so that the one that kills workers is found and its neighbours are not
punished for it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from labelwright.ids import new_id
from labelwright.store.engine import now
from labelwright.store.tables import DONE, FAILED, IN_PROGRESS, PENDING, apps, inputs, jobs, leases

MAX_STRIKES = 3
"""Workers that an input may kill while it is alone in flight before it is given up."""

DEADLY = (
    f"the worker died {MAX_STRIKES} times while it worked on this input alone; "
    "the server's log says how (out of memory, a crash in native code)"
)


# Built once: SQLAlchemy takes longer to put such a statement together than SQLite to run it, and each batch asks all.
_FIRST_WAITING = select(func.min(inputs.c.app)).where(inputs.c.status_code == PENDING)
_NEXT_WAITING = _FIRST_WAITING.where(inputs.c.app > bindparam("after"))
_TAKE = (
    update(inputs)
    .where(
        inputs.c.pk.in_(
            select(inputs.c.pk)
            .where(
                inputs.c.app == bindparam("of_app"),
                inputs.c.status_code == PENDING,
                inputs.c.alone == bindparam("by_itself"),
            )
            .order_by(inputs.c.pk)
            .limit(bindparam("count"))
            .with_for_update(skip_locked=True)
        )
    )
    .values(status_code=IN_PROGRESS, lease=bindparam("new_lease"))
    .returning(inputs.c.pk, inputs.c.id, inputs.c.wire, inputs.c.media)
)
# In order: two that lock several rows in different orders may wait for each other for ever.
_HELD = select(inputs.c.pk).where(inputs.c.lease == bindparam("of_lease")).order_by(inputs.c.pk).with_for_update()
_DONE = (
    update(inputs)
    .where(inputs.c.pk.in_(bindparam("pks", expanding=True)))
    .values(
        status_code=DONE,
        status_details="",
        lease=None,
        workflow_version_id=bindparam("by_workflow"),
        modified_at=bindparam("at"),
    )
)
_END_LEASE = delete(leases).where(leases.c.id == bindparam("of_lease"))
_LATE = select(leases.c.id).where(leases.c.expires_at < bindparam("at"))

# Each reads an index alone. The apps are named since SQLite otherwise goes over the statuses of all inputs: 65 ms at a
# million of which 1,000 wait, and 0.1 so. 30001 stands in the statement as it does in the condition of ix_inputs_queue,
# which PostgreSQL could not use in a statement that it prepares for any value.
_DEPTH = select(
    *(
        select(func.count()).select_from(table).where(condition).scalar_subquery().label(name)
        for name, table, condition in (
            (
                "waiting",
                inputs,
                (inputs.c.status_code == literal_column(str(PENDING))) & inputs.c.app.in_(select(apps.c.pk)),
            ),
            ("in_progress", inputs, inputs.c.lease.is_not(None)),
            ("queued_jobs", jobs, jobs.c.state == "queued"),
            ("running_jobs", jobs, jobs.c.state == "running"),
        )
    )
)


@dataclass(frozen=True, slots=True)
class Depth:
    """How much waits and how much is being worked on, all apps together."""

    waiting: int
    in_progress: int
    queued_jobs: int
    running_jobs: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds leases."""

    host: str
    pid: int
    incarnation: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Inputs of one app that a worker may work on until its lease ends."""

    lease: str
    app: int
    inputs: Sequence[Row[Any]]


def _started(pid: int) -> str | None:
    """When a process of this host began, in its kernel's ticks; None where that can't be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold spaces; the start is field 22.
    return stat.rpartition(")")[2].split()[19]


@cache
def _host() -> str:
    return socket.gethostname()


def this_process() -> Holder:
    """The holder that this process is."""
    return Holder(_host(), os.getpid(), _started(os.getpid()) or "")


def waiting_app(conn: Connection, after: int) -> int | None:
    """The next app with waiting inputs, in a circle behind app ``after``: no app can starve another."""
    found: int | None = conn.execute(_NEXT_WAITING, {"after": after}).scalar()
    return found if found is not None else conn.execute(_FIRST_WAITING).scalar()


def claim(
    conn: Connection, holder: Holder, app: int, *, limit: int, seconds: float, alone_first: bool = False
) -> Claim | None:
    """Take up to ``limit`` waiting inputs of an app, or one that must run alone; None where none waits.

    Args:
        alone_first: which of the two is looked for first; who takes turns starves neither.
    """
    lease = new_id()
    batch, single = (0, limit), (1, 1)
    for alone, count in (single, batch) if alone_first else (batch, single):
        rows = conn.execute(_TAKE, {"of_app": app, "by_itself": alone, "count": count, "new_lease": lease}).all()
        if rows:
            add_lease(conn, lease, holder, seconds)
            return Claim(lease, app, sorted(rows, key=lambda r: r.pk))
    return None


def add_lease(conn: Connection, lease: str, holder: Holder, seconds: float) -> None:
    """Begin a lease."""
    conn.execute(
        insert(leases).values(
            id=lease,
            host=holder.host,
            pid=holder.pid,
            incarnation=holder.incarnation,
            expires_at=now() + int(seconds * 1e6),
        )
    )


def renew(conn: Connection, lease: str, seconds: float) -> bool:
    """Let a lease last ``seconds`` from now; False where it has been taken away."""
    query = update(leases).where(leases.c.id == lease).values(expires_at=now() + int(seconds * 1e6))
    return conn.execute(query).rowcount > 0


def still_held(conn: Connection, lease: str) -> set[int]:
    """The inputs that a lease still holds, locked until the transaction ends: what was deleted is not among them."""
    return set(conn.execute(_HELD, {"of_lease": lease}).scalars())


def finish(
    conn: Connection,
    lease: str,
    *,
    done: Mapping[int, str | None],
    failed: Mapping[int, tuple[int, str, str | None]],
    workflow_version_id: str,
) -> None:
    """Give inputs their final status, and end the lease.

    Args:
        done: input key to the key of its media (None: no media of its own).
        failed: input key to the status code, the reason, and the key of its media.
    """
    at = now()
    same = [pk for pk, media in done.items() if media is None]
    if same:
        conn.execute(_DONE, {"pks": same, "by_workflow": workflow_version_id, "at": at})
    by_key = update(inputs).where(inputs.c.pk == bindparam("key"))
    moved = [{"key": pk, "new_media": media} for pk, media in done.items() if media is not None]
    if moved:
        conn.execute(
            by_key.values(
                status_code=DONE,
                status_details="",
                lease=None,
                workflow_version_id=workflow_version_id,
                media=bindparam("new_media"),
                modified_at=at,
            ),
            moved,
        )
    if failed:
        conn.execute(
            by_key.values(
                status_code=bindparam("code"),
                status_details=bindparam("details"),
                media=func.coalesce(bindparam("new_media"), inputs.c.media),
                lease=None,
                modified_at=at,
            ),
            [
                {"key": pk, "code": code, "details": details, "new_media": media}
                for pk, (code, details, media) in failed.items()
            ],
        )
    conn.execute(_END_LEASE, {"of_lease": lease})


def give_back(conn: Connection, lease: str) -> None:
    """Let the inputs of a lease wait again; this counts against nobody."""
    conn.execute(update(inputs).where(inputs.c.lease == lease).values(status_code=PENDING, lease=None))
    conn.execute(update(jobs).where(jobs.c.lease == lease).values(state="queued", lease=None))
    conn.execute(_END_LEASE, {"of_lease": lease})


def take_away(conn: Connection, lease: str) -> None:
    """End the lease of a worker that died at its work.

    A batch waits again, each input to be run alone. An input that was alone in flight gets a strike, and
    fails at the third.
    """
    held = list(conn.execute(select(inputs.c.pk).where(inputs.c.lease == lease)).scalars())
    values: dict[str, Any] = {"status_code": PENDING, "lease": None, "alone": 1}
    if len(held) == 1:
        out = inputs.c.strikes + 1 >= MAX_STRIKES
        values["strikes"] = inputs.c.strikes + 1
        values["status_code"] = case((out, FAILED), else_=PENDING)
        values["status_details"] = case((out, DEADLY), else_=inputs.c.status_details)
        values["modified_at"] = now()
    conn.execute(update(inputs).where(inputs.c.lease == lease).values(**values))
    conn.execute(
        update(jobs).where(jobs.c.lease == lease).values(state="queued", lease=None, strikes=jobs.c.strikes + 1)
    )
    conn.execute(_END_LEASE, {"of_lease": lease})


def leases_of(conn: Connection, pid: int) -> list[str]:
    """The leases that a process of this host holds."""
    query = select(leases.c.id).where(leases.c.host == _host(), leases.c.pid == pid)
    return list(conn.execute(query).scalars())


def expired(conn: Connection) -> list[str]:
    """The leases that nobody renewed in time."""
    return list(conn.execute(_LATE, {"at": now()}).scalars())


def orphaned(conn: Connection) -> list[str]:
    """The leases of processes of this host that are no more: what a server that was killed left behind."""
    rows = conn.execute(select(leases).where(leases.c.host == _host()))
    return [row.id for row in rows if (_started(row.pid) or "") != row.incarnation]


def states(conn: Connection, pks: Iterable[int]) -> dict[int, int]:
    """Input key to status code."""
    query = select(inputs.c.pk, inputs.c.status_code).where(inputs.c.pk.in_(list(pks)))
    return {row.pk: row.status_code for row in conn.execute(query)}


def anything_waits(conn: Connection) -> bool:
    """Whether any input is waiting or being worked on."""
    busy: ColumnElement[bool] = or_(inputs.c.status_code == PENDING, inputs.c.status_code == IN_PROGRESS)
    return conn.execute(select(inputs.c.pk).where(busy).limit(1)).first() is not None


def depth(conn: Connection) -> Depth:
    """How deep the queues are."""
    row = conn.execute(_DEPTH).one()
    return Depth(row.waiting, row.in_progress, row.queued_jobs, row.running_jobs)
