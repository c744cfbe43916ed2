"""The annotator's loop: claim a batch, run the default workflow on it, commit, again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import OperationalError

from labelwright import metrics
from labelwright.annotator import batch, commit
from labelwright.annotator.intake import Intake
from labelwright.annotator.plans import Plans
from labelwright.config import Settings
from labelwright.errors import InputFailed, LabelwrightError
from labelwright.media.blobs import BlobStore
from labelwright.store import apps, queue
from labelwright.store.engine import Store
from labelwright.workflows.engine import Plan

log = structlog.get_logger("labelwright.annotator")

QUICK, SLOW = 0.25, 1.0
"""Seconds. A batch that took less doubles the next one, up to the setting; one that took more halves it: fast
workflows get large transactions, slow ones show their progress and lose little when a worker dies."""
FIRST = 16
"""Inputs that the first batch of a worker has."""
LOOK_FOR_EXPIRED = 0.5
"""Seconds between two looks for leases that ended; with small batches, one before each took a twentieth of the time."""


class Annotator:
    """Labels inputs that wait. One thread calls `step`; another keeps the lease alive meanwhile."""

    def __init__(self, settings: Settings, store: Store, blobs: BlobStore) -> None:
        self._settings = settings
        self._store = store
        self._blobs = blobs
        self._intake = Intake(settings, blobs)
        self._plans = Plans(blobs)
        self._holder = queue.this_process()
        self._last_app = 0
        self._look_for_expired = 0.0
        self._alone_first = False
        self._owed: list[str] = []
        self._limit = min(FIRST, settings.batch)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask for an end: the batch at hand is given back between two of its steps."""
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        """Whether an end was asked for."""
        return self._stopping.is_set()

    def step(self) -> int:
        """Label one batch; returns how many inputs it had, 0 where none waited."""
        laps = metrics.Laps()
        give_back_owed(self._store, self._owed)
        if time.monotonic() >= self._look_for_expired:
            end_expired(self._store)
            self._look_for_expired = time.monotonic() + LOOK_FOR_EXPIRED
        with self._store.read() as conn:
            app_pk = queue.waiting_app(conn, self._last_app)
        if app_pk is None:
            return 0
        self._last_app = app_pk
        with self._store.write() as conn:
            self._alone_first = not self._alone_first
            claim = queue.claim(
                conn,
                self._holder,
                app_pk,
                limit=self._limit,
                seconds=self._settings.lease,
                alone_first=self._alone_first,
            )
        if claim is None:
            return 0
        laps.lap("claim")
        started = time.monotonic()
        try:
            with alive(self._store, claim.lease, self._settings.lease):
                finished = self._work(claim)
        except OperationalError:
            # The store is away, or chose this transaction to end a deadlock: no fault of the inputs.
            self._owed.append(claim.lease)
            raise
        except Exception as e:
            log.exception("a batch failed as a whole", inputs=len(claim.inputs))
            self._whole_batch_failed(claim, e)
            return len(claim.inputs)
        if not finished:
            with self._store.write() as conn:
                queue.give_back(conn, claim.lease)
            return 0
        self._adapt(time.monotonic() - started, len(claim.inputs))
        return len(claim.inputs)

    def _whole_batch_failed(self, claim: queue.Claim, error: Exception) -> None:
        """What no operator is to blame for: one input fails with the reason, several are tried one by one."""
        with self._store.write() as conn:
            if len(claim.inputs) > 1:
                queue.take_away(conn, claim.lease)
                return
            reason = f"internal error ({type(error).__name__}: {error})"[:500]
            # Whoever has it now, if the lease ended meanwhile, says how it goes.
            held = queue.still_held(conn, claim.lease)
            failed = dict.fromkeys(held, (InputFailed.code, reason, None))
            queue.finish(conn, claim.lease, done={}, failed=failed, workflow_version_id="")
        metrics.settled(labelled=0, failed=len(held), annotations=0)

    def _work(self, claim: queue.Claim) -> bool:
        laps = metrics.Laps()
        with self._store.read() as conn:
            app = apps.by_pk(conn, claim.app)
            if app is None:
                return False
            try:
                plan = self._plans.default(conn, app)
                broken = None
            except LabelwrightError as e:
                plan, broken = Plan("", "", ()), e
        laps.lap("plan")
        if broken is not None:
            made: dict[int, commit.Made] | None = {row.pk: commit.Made(error=broken) for row in claim.inputs}
        else:
            made = batch.make(plan, claim.app, claim.inputs, self._intake, stop=lambda: self.stopping)
        if made is None:
            return False
        laps.again()
        parts = commit.take_drafts_apart(made)
        laps.lap("prepare")
        with self._store.write() as conn:
            # Held until the end: the app can't be deleted under its inputs, and everybody locks it first.
            app = apps.hold(conn, claim.app)
            written = None
            if app is not None:
                if broken is None and self._plans.newest(conn, app) != plan.workflow_version_id:
                    # The default workflow changed meanwhile. A re-run that follows the change passes over what is
                    # being worked on, so these inputs begin anew, with the new one.
                    return False
                written = commit.commit_batch(conn, app, claim, plan, made, parts)
        laps.lap("commit")
        if app is None or written is None:
            # The app was deleted meanwhile; what was fetched for it goes too.
            self._blobs.delete_prefix(str(claim.app))
            return True
        metrics.settled(labelled=written.labelled, failed=written.failed, annotations=written.wrote)
        for pk in written.gone:
            if (media := made[pk].media) is not None:
                self._blobs.delete(media)
        log.info(
            "labelled",
            app=app.id,
            inputs=len(made),
            failed=sum(m.error is not None for m in made.values()),
            annotations=written.wrote,
        )
        return True

    def _adapt(self, seconds: float, inputs: int) -> None:
        if seconds < QUICK and inputs >= self._limit:
            self._limit = min(self._limit * 2, self._settings.batch)
        elif seconds > SLOW:
            self._limit = max(self._limit // 2, 1)


def give_back_owed(store: Store, owed: list[str]) -> None:
    """Give back the leases that could not be ended while the store was away; this counts against nobody."""
    while owed:
        with store.write() as conn:
            queue.give_back(conn, owed[-1])
        owed.pop()


def end_expired(store: Store) -> None:
    """End the leases that nobody renewed in time."""
    with store.read() as conn:
        late = queue.expired(conn)
    if late:
        with store.write() as conn:
            # Looked at again in the same transaction: another worker may have come first.
            for lease in set(late) & set(queue.expired(conn)):
                log.warning("a lease ended unrenewed", lease=lease)
                queue.take_away(conn, lease)


@contextmanager
def alive(store: Store, lease: str, seconds: float) -> Iterator[None]:
    """Renew a lease from a thread, three times in its length, until the block ends."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(seconds / 3):
            try:
                with store.write() as conn:
                    if not queue.renew(conn, lease, seconds):
                        return
            except OperationalError:
                # The store is busy or away for a moment; two more tries are left before the lease ends.
                log.warning("a lease could not be renewed this time", lease=lease)

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def work(annotator: Annotator, wait: Callable[[float], None], poll: float) -> None:
    """Step until the annotator is asked to stop; ``wait`` sleeps until something may have come, or ``poll`` s."""
    while not annotator.stopping:
        try:
            if annotator.step():
                continue
        except OperationalError as e:
            log.warning("the store can't be reached; trying again", error=str(e.orig)[:200])
            time.sleep(1)
        wait(poll)
