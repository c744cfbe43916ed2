"""Opening a database, and the two kinds of transaction: one that reads, one that writes."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, func, make_url, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from labelwright.errors import ConfigurationError, LabelwrightError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

BUSY_SECONDS = 30
"""How long a SQLite writer waits for another. Our longest write is a batch, some 50 ms."""

KEPT_SNAPSHOTS = 8
"""Idle connections for reading that a process keeps: as many as work at once, and a few."""


def now() -> int:
    """The time as the store keeps it: whole microseconds since 1970, UTC."""
    return time.time_ns() // 1000


class Store:
    """A database and its pool of connections.

    Args:
        url: an SQLAlchemy URL, ``sqlite:///…`` or ``postgresql+psycopg://…``.

    Raises:
        ConfigurationError: the URL can't be read, or its driver is not installed.
    """

    def __init__(self, url: str, *, pool: int = 8) -> None:
        self._turnstile: Path | None = None
        self._next = threading.Lock()
        self._snapshots: _Snapshots | None = None
        try:
            parsed = make_url(url)
            if parsed.get_backend_name() == "sqlite":
                self.engine = _sqlite(url)
                if parsed.database and parsed.database != ":memory:":
                    self._turnstile = Path(f"{parsed.database}-writer")
                    self._snapshots = _Snapshots(self.engine)
            elif parsed.get_backend_name() == "postgresql":
                if parsed.drivername == "postgresql":
                    parsed = parsed.set(drivername="postgresql+psycopg")
                self.engine = create_engine(
                    parsed, pool_size=pool, max_overflow=pool, pool_pre_ping=True, hide_parameters=True
                )
            else:
                raise ConfigurationError(
                    f"database_url names {parsed.get_backend_name()!r}; sqlite and postgresql are legal"
                )
            self._readers = self.engine
            if self.engine.dialect.name == "postgresql":
                # Its default shows each statement what was committed by then; SQLite's transactions are snapshots.
                self._readers = self.engine.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
        except (ArgumentError, NoSuchModuleError):
            raise ConfigurationError(
                "database_url can't be read; legal are sqlite:////path/to/file.db and "
                "postgresql://user:password@host/database"
            ) from None
        except ModuleNotFoundError as e:
            raise ConfigurationError(
                f"the driver {e.name!r} is missing: install it with  pip install 'labelwright[postgres]'"
            ) from None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one snapshot of the data, and it stops nobody."""
        if self._snapshots is not None:
            with self._snapshots.one() as conn:
                yield conn
            return
        with self._readers.connect() as conn, conn.begin():
            yield conn

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """As `read`, for blocks that mostly ask one thing: on SQLite each statement sees its own snapshot.

        Each call of SQLite's lets go of the interpreter, and to get it back costs more than the call where others want
        it too: a begin and an end beside one small SELECT are two thirds of what they cost together.
        """
        if self._snapshots is not None:
            with self._snapshots.one(begin=False) as conn:
                yield conn
            return
        with self.read() as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; it is on disk when the block ends, or not at all if the block raised.

        SQLite has one writer at a time: it is taken at the beginning, since a reader that turns into a
        writer half-way can't wait and fails.
        """
        with (
            _turn(self._turnstile, self._next),
            self.engine.connect().execution_options(labelwright_write=True) as conn,
            conn.begin(),
        ):
            yield conn

    def close(self) -> None:
        """Give all connections back."""
        if self._snapshots is not None:
            self._snapshots.close()
        self.engine.dispose()


class _Snapshots:
    """Connections to a SQLite file that only read, the one used last first: its pages are the warmest.

    SQLAlchemy takes some 200 µs to check a connection out of its pool, begin, end and check it in again, more than
    SQLite needs for a small call. So these stay checked out between two transactions, which begin and end past it.
    """

    def __init__(self, engine: Engine) -> None:
        # None of the engine's pool: they would stay away from it for ever.
        self._engine = engine
        self._idle: deque[Connection] = deque()

    @contextmanager
    def one(self, *, begin: bool = True) -> Iterator[Connection]:
        try:
            conn = self._idle.pop()
        except IndexError:
            conn = self._engine.connect().execution_options(labelwright_snapshot=True)
            # So that it counts no longer among the pool's; nothing of SQLAlchemy's closes it from here on.
            conn.detach()
        sound = False
        try:
            if begin:
                _begin(conn, "BEGIN")
            yield conn
            sound = True
        except LabelwrightError:
            # The block's own word, between two statements. After any other error a statement may be half read and
            # still referred to, which would hold its old snapshot open, for whoever comes next as well.
            sound = not conn.invalidated
            raise
        finally:
            if conn.in_transaction():
                conn.rollback()
            elif begin:
                dbapi_of(conn).rollback()
            if sound and len(self._idle) < KEPT_SNAPSHOTS:
                self._idle.append(conn)
            else:
                conn.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def dbapi_of(conn: Connection) -> Any:
    """The driver's own connection, for the few statements that go past SQLAlchemy."""
    return conn.connection.dbapi_connection


def _begin(conn: Connection, statement: str) -> None:
    try:
        dbapi_of(conn).execute(statement)
    except sqlite3.Error as e:
        # As SQLAlchemy would say it: a database that is locked is waited for, not taken for a fault of ours.
        raise DBAPIError.instance(statement, None, e, sqlite3.Error, dialect=conn.dialect) from e


@contextmanager
def _turn(path: Path | None, next_one: threading.Lock) -> Iterator[None]:
    """Wait for one's turn among the writers of a SQLite file.

    SQLite itself waits by sleeping, up to 0.1 s at a time, while the lock is free for most of it; here a process's next
    one looks every millisecond. Who has no such lock (another program, a file system without locks), or waited for too
    long, still has SQLite's own.

    Args:
        next_one: who of this process may look; the others of its threads are woken at once when they may. Verdicts from
            4 threads came to 374 a second so, and to 185 where each thread looked for itself.
    """
    if path is None or fcntl is None:
        yield
        return
    if getattr(_nested, "inside", False):
        raise RuntimeError("a transaction that writes was begun inside another one of the same thread")
    try:
        # A description of its own each time: threads of one process wait for each other too.
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    _nested.inside = True
    first = next_one.acquire(timeout=BUSY_SECONDS)
    try:
        _wait_for(lock)
        yield
    finally:
        _nested.inside = False
        os.close(lock)
        if first:
            next_one.release()


_nested = threading.local()


def _wait_for(lock: int) -> None:
    until = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < until:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            return
        else:
            return


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def on_connect(dbapi: sqlite3.Connection, _record: Any) -> None:
        # The driver must not open transactions by itself: `begin` below says which kind.
        dbapi.isolation_level = None
        _into_wal(dbapi)
        for pragma in (
            # FULL: what was acknowledged survives a power cut. It cost nothing measurable against NORMAL.
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            # 16 MB of log before it is written back: the pages at the end of the indexes are then written once
            # for many batches.
            "wal_autocheckpoint=4000",
            # 16 MB a connection: a larger one only moves pages out of the system's own cache.
            "cache_size=-16384",
        ):
            dbapi.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(conn: Connection) -> None:
        options = conn.get_execution_options()
        if options.get("labelwright_snapshot"):
            return
        # Past SQLAlchemy, whose own way to run a statement takes ten times as long as this one.
        _begin(conn, "BEGIN IMMEDIATE" if options.get("labelwright_write") else "BEGIN")

    return engine


def _into_wal(dbapi: sqlite3.Connection) -> None:
    """Set the journal's mode, which a fresh database needs once."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            dbapi.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as e:
            # Of several processes that open a fresh database at once, one changes the mode; SQLite doesn't let
            # the others wait for that, as it does for any other lock.
            if e.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def insert_many(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert plain rows, as tuples in the order of ``columns``: the way for the hot tables.

    SQLAlchemy's own executemany builds a dict and runs type processors for each row, which took a third of
    the annotator's time; here values go to the driver as they are, so JSON columns must come as text.
    """
    if not rows:
        return
    mark = "%s" if conn.dialect.name == "postgresql" else "?"
    names = ", ".join(columns)
    marks = ", ".join([mark] * len(columns))
    # Names are ours, never a caller's.
    conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608


def run_many(conn: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement of ours once for each row of plain values, which stand as ``?`` in it: as `insert_many`."""
    if rows:
        marked = statement.replace("?", "%s") if conn.dialect.name == "postgresql" else statement
        conn.exec_driver_sql(marked, list(rows))


def next_keys(conn: Connection, table: Table, count: int) -> Sequence[int]:
    """Take keys for rows that are about to be inserted, so that what points at them needs no look-up.

    In a transaction that writes only: on SQLite nobody else can take them meanwhile, and PostgreSQL's sequence
    gives each number once.
    """
    if conn.dialect.name == "postgresql":
        numbers = text("SELECT nextval(pg_get_serial_sequence(:name, 'pk')) FROM generate_series(1, :count)")
        return list(conn.execute(numbers, {"name": table.name, "count": count}).scalars())
    if table.dialect_options["sqlite"]["autoincrement"]:
        query: Any = text("SELECT seq FROM sqlite_sequence WHERE name = :name").bindparams(name=table.name)
    else:
        query = select(func.max(table.c.pk))
    last: int = conn.execute(query).scalar() or 0
    return range(last + 1, last + 1 + count)


def insert_or_ignore(conn: Connection, table: Table) -> Insert:
    """An INSERT that leaves rows alone whose key is there already, in the words of either database."""
    if conn.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
