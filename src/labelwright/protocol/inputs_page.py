"""An app's inputs for the page that shows them: newest first, filtered, with their labels."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, UserAppIDSet
from google.protobuf.json_format import MessageToDict
from sqlalchemy import Connection

from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import asked
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.resources.input_messages import said_of, to_wire
from labelwright.protocol.rest.printing import show_message, show_single
from labelwright.protocol.wire import describe, parse
from labelwright.store import concepts, input_scans
from labelwright.store import tables as t
from labelwright.store.overview import FLAGGED, PENDING, SUCCESS, by_index

USUAL, MOST = 60, 200
"""Inputs on a page, where nothing is said and at most."""
MOST_LABELS = 100
"""Labels that are shown of an input: a film may have thousands."""
MOST_CONCEPTS = 50
LONGEST = 256
"""Characters of a text that is searched for."""
SCANNED = 20_000
"""Inputs that one call looks at."""
SECONDS = 0.025
"""After which it stops looking all the same, be nothing found: the page asks again, from where this one was."""
AT_ONCE = 500
RARE = 3_000
"""Labels of a concept up to which its inputs are looked up, not looked for."""

STATUSES: dict[str, int | None] = {"pending": t.PENDING, "in_progress": t.IN_PROGRESS, "done": t.DONE, "failed": None}
STATES = ("pending", "success", "none")

_SHOWN = {SUCCESS: "success", PENDING: "pending", FLAGGED: "flagged"}
_ORIGINS = {t.PERSON: "person", t.MODEL: "model", t.IMPORT: "import", t.CONFIRMED: "confirmed"}

Keep = Callable[[Connection, list[int]], set[int]]
"""Says which of some inputs stay."""


def inputs_page(call: Call, where: UserAppIDSet, given: Mapping[str, Any]) -> dict[str, Any]:
    """A page of an app's inputs, newest first.

    Args:
        given: ``n`` (1 to 200, else 60) and ``cursor`` (of the page before), and the filters: ``concept`` (an id; of
            several, any), ``status`` (a key of `STATUSES`), ``annotation`` (one of `STATES`: what waits for a person,
            what is labelled, what is neither; with concepts: by these), ``text`` (a part of the id, the raw text, the
            URL or a value of the metadata; case does not count).

    Returns:
        ``inputs``: each as the API's JSON, with its ``labels`` (`MOST_LABELS` at most); ``cursor``: where to go on,
        None at the end; ``scanned_all``: whether it is the end. A page may hold fewer than ``n`` and even none before
        the end: looking is bounded by `SCANNED` and `SECONDS`.

    Raises:
        InvalidRequest: a parameter is unknown or not legal.
        DoesNotExist: the app has no such concept; or as `Call.app`.
    """
    asked.only(given, "concept", "status", "annotation", "text", "cursor", "n")
    ids = asked.texts(given, "concept", most=MOST_CONCEPTS, longest=LONGEST)
    status = asked.one_of(given, "status", *STATUSES)
    state = asked.one_of(given, "annotation", *STATES)
    text = asked.text(given, "text", longest=LONGEST)
    n = asked.number(given, "n", USUAL, 1, MOST)
    before = _read_cursor(asked.text(given, "cursor", longest=LONGEST))
    hosting = Hosting(call)
    with call.store.read() as conn:
        app = call.app(conn, where)
        by_index(conn)
        keys = concepts.keys(conn, app.pk, ids)
        if missing := sorted(set(ids) - set(keys)):
            raise DoesNotExist(f"app {app.id!r} has no concept {', '.join(map(repr, missing))}")
        of = list(keys.values()) or None
        codes = _codes(conn, app.pk, status)
        chunks = _chunks(conn, app.pk, before, codes, of, state, n, filtered=bool(of or state or text))
        found, cursor = _look(conn, chunks, _filters(of, state, text), n)
        rows = input_scans.rows(conn, found)
        said = said_of(conn, app, rows)
        labels = _labels(conn, found)
    shown = []
    for row in rows:
        one = show_message(to_wire(row, said.get(row.pk), hosting))
        one["labels"] = labels[row.pk]
        shown.append(one)
    return {
        "inputs": shown,
        "cursor": None if cursor is None else _write_cursor(cursor),
        "scanned_all": cursor is None,
    }


def _codes(conn: Connection, app: int, status: str) -> list[int] | None:
    if not status:
        return None
    code = STATUSES[status]
    if code is not None:
        return [code]
    # An input may have failed with any code.
    return [c for c in input_scans.codes(conn, app) if c not in STATUSES.values()]


# --- looking --------------------------------------------------------------------------------------


def _chunks(
    conn: Connection,
    app: int,
    before: int,
    codes: list[int] | None,
    of: list[int] | None,
    state: str,
    n: int,
    *,
    filtered: bool,
) -> Iterator[tuple[list[int], bool]]:
    """Inputs to be looked at, newest first, some at a time; and whether these are the last."""
    few = None
    if of and state != "none":
        few = input_scans.labelled_with(conn, of, most=RARE)
    elif state == "pending":
        few = input_scans.waiting(conn, app, most=RARE)
    if few is not None:
        few = [pk for pk in few if pk < before]
        for i in range(0, max(len(few), 1), AT_ONCE):
            some = few[i : i + AT_ONCE]
            if codes is not None:
                there = input_scans.with_status(conn, some, codes)
                some = [pk for pk in some if pk in there]
            yield some, i + AT_ONCE >= len(few)
        return
    # One more than a page has where each is on it: so that the last page knows that it is.
    limit = AT_ONCE if filtered else n + 1
    while True:
        some = input_scans.newest(conn, app, before=before, status_codes=codes, limit=limit)
        yield some, len(some) < limit
        if not some:
            return
        before = some[-1]


def _look(
    conn: Connection, chunks: Iterator[tuple[list[int], bool]], filters: Sequence[Keep], n: int
) -> tuple[list[int], int | None]:
    """The first ``n`` inputs that all filters keep, and the one behind which to go on; None at the end."""
    until = time.monotonic() + SECONDS
    found: list[int] = []
    scanned = 0
    for some, is_last in chunks:
        kept = some
        for keep in filters:
            if kept:
                chosen = keep(conn, kept)
                kept = [pk for pk in kept if pk in chosen]
        room = n - len(found)
        if len(kept) > room:
            return found + kept[:room], (found + kept[:room])[-1]
        found += kept
        if is_last:
            return found, None
        scanned += len(some)
        if some and (len(found) == n or scanned >= SCANNED or time.monotonic() > until):
            return found, some[-1]
    return found, None


def _filters(of: list[int] | None, state: str, text: str) -> list[Keep]:
    made: list[Keep] = []
    if state == "none":
        made.append(lambda conn, pks: set(pks) - input_scans.having(conn, pks, concepts=of, state=""))
    elif of or state:
        made.append(lambda conn, pks: input_scans.having(conn, pks, concepts=of, state=state))
    if text:
        made.append(lambda conn, pks: {row.pk for row in input_scans.texts(conn, pks) if holds(row, text)})
    return made


_NUMERIC = re.compile(r"[-+0-9.einfa]+\Z|t?r?u?e?\Z|f?a?l?s?e?\Z|n?u?l?l?\Z")


def holds(row: Any, text: str) -> bool:
    """Whether an input's id, raw text, URL or a value of its metadata holds a text; case does not count.

    Args:
        row: id, wire, and said: the input-level annotation's wire, or None.
    """
    wanted = text.lower()
    if wanted in row.id.lower():
        return True
    # Texts stand in a message as they are: most inputs are passed over without parsing them.
    if _within(row.wire, wanted) and any(wanted in value.lower() for value in _texts(parse(Data, row.wire))):
        return True
    if not row.said or not (_within(row.said, wanted) or _NUMERIC.match(wanted)):
        return False
    data = parse(Data, row.said)
    return data.HasField("metadata") and any(wanted in v.lower() for v in _values(MessageToDict(data.metadata)))


def _within(wire: bytes, wanted: str) -> bool:
    return bool(wire) and wanted in wire.decode("utf-8", "ignore").lower()


def _texts(data: Data) -> Iterator[str]:
    yield data.text.raw
    for media in (data.image, data.video, data.audio, data.text):
        yield media.url


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield str(value)


# --- showing --------------------------------------------------------------------------------------


def _labels(conn: Connection, pks: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    made: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in input_scans.labels(conn, pks):
        here = made[row.input]
        if len(here) < MOST_LABELS:
            here.append(
                {
                    "concept": row.id,
                    "name": row.name,
                    "value": show_single(row.value),
                    "score": None if row.score is None else show_single(row.score),
                    "status": _SHOWN.get(row.status_code) or describe(row.status_code),
                    "origin": _ORIGINS[row.origin],
                }
            )
    return made


def _write_cursor(pk: int) -> str:
    return base64.urlsafe_b64encode(b"%d" % pk).decode().rstrip("=")


def _read_cursor(cursor: str) -> int:
    if not cursor:
        return input_scans.END
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        if re.fullmatch(r"[1-9][0-9]{0,17}", text):
            return int(text)
    except (ValueError, binascii.Error):
        pass
    raise InvalidRequest(f"cursor is {cursor[:80]!r}; legal is the cursor of the page before, or none")
