"""The audit page's queue: drawing auto-labels, being given what chance drew, blind; how the audit stands."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data, UserAppIDSet
from sqlalchemy import Connection, Row

from labelwright.annotator.plans import output_info
from labelwright.errors import DoesNotExist, InvalidRequest
from labelwright.protocol import given as g
from labelwright.protocol.audit_estimates import Estimate, of_app
from labelwright.protocol.dispatch import Call
from labelwright.protocol.hosted import Hosting
from labelwright.protocol.places import place_of
from labelwright.protocol.review_messages import Shown, show_inputs, show_time
from labelwright.protocol.review_queue import DAY, holder_of
from labelwright.protocol.wire import parse
from labelwright.store import annotation_workers, apps, audits, concepts, draws, models
from labelwright.store.audits import Drawn, Standing, Word
from labelwright.store.engine import Store, now

MAX_ITEMS = 100
MAX_EXCLUDED = 500
MAX_CHOICES = 1000
"""Concepts among which somebody may be asked to choose."""
MAX_DRAWN = 100_000
"""Auto-labels that one draw puts into the queue: nobody looks at more."""
SEED_BITS = 48

_NOTHING = Data()


def take(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Give a tab drawn items that no other tab or person holds, for 120 seconds: of audits and of verification.

    An item says what to look at and what is asked, ``question`` "is" (of ``concept``) or "which" (of ``choices``). It
    says nothing of a model, a score or a label that is there, and neither does its input. An auto-label that people
    changed or deleted elsewhere has its answer by that.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    holder, hosting = holder_of(call, g.tab(given)), Hosting(call)
    n = g.whole(given, "n", 1, MAX_ITEMS) or 1
    excluded = {pk for pk in map(item_key, g.texts(given, "exclude", most=MAX_EXCLUDED)) if pk is not None}
    with call.store.write() as conn:
        # The app's row is not locked: two who take at once pass over what the other is just taking.
        app = call.app(conn, where)
        at = now()
        found: list[Row[Any]] = []
        there: dict[int, Standing | Word] = {}
        seen = set(excluded)
        while len(found) < n:
            more = draws.take(conn, app.pk, "", holder=holder, at=at, n=n - len(found), exclude=seen)
            if not more:
                break
            seen |= {row.pk for row in more}
            became = audits.standing(conn, app.pk, [row for row in more if row.kind == draws.AUDIT])
            audits.settle(conn, [(pk, word) for pk, word in became.items() if isinstance(word, Word)])
            there |= became
            found += [row for row in more if not isinstance(became.get(row.pk), Word)]
        items = show(conn, app, found, there, hosting)
        left = draws.count_waiting(conn, app.pk) - audits.count_held(conn, app.pk, holder=holder, at=at)
    return {"items": items, "left": left}


def item_key(name: str) -> int | None:
    """The key of the drawn item that is called so; None where none can be."""
    return int(name) if name.isascii() and name.isdecimal() and len(name) <= 18 else None


def show(
    conn: Connection, app: Row[Any], rows: Sequence[Row[Any]], there: Mapping[int, Standing | Word], hosting: Hosting
) -> list[Shown]:
    """Drawn items as the page sees them before they are answered."""
    inputs = show_inputs(conn, app, {row.input for row in rows}, hosting)
    names = {i: row.name for i, row in concepts.by_ids(conn, app.pk, {row.concept_id for row in rows}).items()}
    choices: dict[str, list[Shown]] = {}
    made = []
    for row in rows:
        if row.input not in inputs:
            continue
        item: Shown = {"item": str(row.pk), "place": {"kind": "input"}, "input": _blind(inputs[row.input])}
        if asks_which(row):
            version = row.model_version_id or row.draw_id
            if version not in choices:
                claimed = {r.concept_id for r in rows if r.model_version_id == version}
                asked = (row.draw_params or {}).get("concepts") if row.kind == draws.TEACH else None
                choices[version] = _choices(conn, app, version, claimed, asked)
            item |= {"question": "which", "concept": None, "choices": choices[version]}
        else:
            name = names.get(row.concept_id) or row.concept_id
            item |= {"question": "is", "concept": {"id": row.concept_id, "name": name}}
        label = there.get(row.pk)
        if isinstance(label, Standing) and label.slot >= 0:
            item["place"] = place_of(parse(Data, label.wire), label.slot)
        made.append(item)
    return made


def asks_which(row: Row[Any]) -> bool:
    """Whether of a drawn item is asked which concept it is; else whether it is the one that was claimed.

    Of a claim about an input that shows one of its concepts at most: to name the claimed one would lead to a yes. Of
    what a model is to learn from nothing is claimed.
    """
    exclusive = bool((row.draw_params or {}).get("exclusive", True))
    return row.kind == draws.TEACH or (row.kind == draws.VERIFY and exclusive)


def _blind(shown: Shown) -> Shown:
    """An input without what has been said of it."""
    data = {name: value for name, value in shown.get("data", {}).items() if name not in ("concepts", "metadata")}
    return {**shown, "data": data}


def _choices(
    conn: Connection, app: Row[Any], version_id: str, claimed: set[str], asked: Sequence[str] | None = None
) -> list[Shown]:
    """What an input may be called, by name, so that the order tells nothing: the concepts of the model.

    Where the workflow maps these to others, all of the app's.
    """
    ids = set(asked) if asked else _own_concepts(conn, version_id)
    if asked or (ids and claimed <= ids):
        rows = list(concepts.by_ids(conn, app.pk, ids).values())
    else:
        rows = concepts.page(conn, app.pk, offset=0, limit=MAX_CHOICES)
    shown = [{"id": c.id, "name": c.name or c.id} for c in rows]
    return sorted(shown, key=lambda c: (c["name"].casefold(), c["id"]))


def _own_concepts(conn: Connection, version_id: str) -> set[str]:
    """The ids of the concepts that a model version sees; none where that is not known."""
    named = annotation_workers.models(conn, [version_id]).get(version_id)
    home = apps.get(conn, named.user_id, named.app_id) if named is not None else None
    model = models.get(conn, home.pk, named.id) if home is not None and named is not None else None
    version = models.version(conn, model.pk, version_id) if model is not None else None
    return set() if version is None else {c.id for c in output_info(version.wire).data.concepts}


def hold(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Keep items for another 120 seconds; those that are answered, gone or another's by now are ``lost``.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    tab = g.tab(given)
    items = list(dict.fromkeys(g.texts(given, "items", most=MAX_EXCLUDED)))
    keys = {name: pk for name in items if (pk := item_key(name)) is not None}
    with call.store.write() as conn:
        app = call.app(conn, where)
        kept = draws.hold(conn, app.pk, set(keys.values()), holder=holder_of(call, tab), at=now())
    held = [name for name in items if keys.get(name) in kept]
    return {"held": held, "lost": [name for name in items if name not in held]}


def release(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Give back all that a tab holds.

    Raises:
        InvalidRequest: the tab is missing.
        LabelwrightError: as `Call.app`.
    """
    tab = g.tab(given)
    with call.store.write() as conn:
        app = call.app(conn, where)
        return {"released": draws.release(conn, app.pk, holder_of(call, tab))}


# --- drawing --------------------------------------------------------------------------------------


def draw(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """Put a random sample of auto-labels into the queue: a share ``rate`` of them, or ``n``; of ``model`` alone.

    Raises:
        InvalidRequest: something given is not legal.
        DoesNotExist: the model wrote no auto-labels.
        LabelwrightError: as `Call.app`.
    """
    rate = g.number(given, "rate", 0, 1)
    n, model = g.whole(given, "n", 1, MAX_DRAWN), g.text(given, "model")
    with call.store.write() as conn:
        app = call.app(conn, where, change=True)
    made = draw_audit(call.store, app, rate=rate, n=n, model=model, user_id=call.user_id)
    return {"draw": made.id or None, "drawn": made.drawn, "of": made.of}


def draw_audit(
    store: Store,
    app: Row[Any],
    *,
    rate: float | None = None,
    n: int | None = None,
    model: str | None = None,
    user_id: str,
    seed: int | None = None,
) -> Drawn:
    """Draw auto-labels of an app at random, each equally likely, among those that no audit has drawn yet.

    Args:
        app: its row.
        rate: the share, above 0 and at most 1, rounded up; 0.02 where neither it nor ``n`` is given.
        n: so many instead, 1 to MAX_DRAWN.
        model: the id of a model, or of one of its versions; None: all.
        seed: so that the same draw can be made again; None: one of chance.

    Raises:
        InvalidRequest: rate or n is not legal, or too many would be drawn.
        DoesNotExist: the model wrote no auto-labels here, or the app was deleted meanwhile.
    """
    rate = 0.02 if rate is None else rate
    if not 0 < rate <= 1:
        raise InvalidRequest(f"rate is {rate:g}; above 0 and at most 1 are legal, such as 0.02 for one in fifty")
    if n is not None and not 1 <= n <= MAX_DRAWN:
        raise InvalidRequest(f"n is {n}; 1 to {MAX_DRAWN} are legal")
    seed = secrets.randbits(SEED_BITS) if seed is None else seed
    with store.read() as conn:
        versions = None if model is None else _versions(conn, app, model)
        chosen, of = audits.choose(conn, app.pk, rate=rate, n=n, versions=versions, seed=seed)
    if len(chosen) > MAX_DRAWN:
        raise InvalidRequest(
            f"a share of {rate:g} of {of} auto-labels are {len(chosen)}; {MAX_DRAWN} at most are drawn at once: "
            "give a lower rate, or n"
        )
    made = audits.draw(store, app.pk, chosen, of, user_id=user_id, rate=rate, n=n, versions=versions, seed=seed)
    if made is None:
        raise DoesNotExist("the app was deleted meanwhile")
    return made


def _versions(conn: Connection, app: Row[Any], model: str) -> Collection[str]:
    """The versions of a model, named by its id or by one of theirs, that wrote auto-labels of the app."""
    there = audits.versions_of(conn, app.pk)
    of = annotation_workers.models(conn, there - {""})
    found = {version for version in there if version and (version == model or _is(of.get(version), model))}
    if not found:
        known = ", ".join(sorted({row.id for row in of.values()})) or "none"
        raise DoesNotExist(f"no auto-label of app {app.id!r} is of a model {model!r}; those that wrote some: {known}")
    return found


def _is(row: Row[Any] | None, model: str) -> bool:
    return row is not None and model in (row.id, f"{row.app_id}/{row.id}", f"{row.user_id}/{row.app_id}/{row.id}")


# --- how it stands --------------------------------------------------------------------------------


def status(call: Call, where: UserAppIDSet, given: g.Given) -> dict[str, Any]:
    """How an app's audits stand: what waits, who answered how much, and what the answers say of each concept.

    ``left``, ``held``, ``mine``, ``all`` and ``people`` are as of `review_queue.summary`, of drawn items of both
    kinds. ``estimates`` has an entry a concept and model version, those in alarm first; ``alarms`` counts them.

    Raises:
        InvalidRequest: something given is not legal.
        LabelwrightError: as `Call.app`.
    """
    since = g.whole(given, "since", 0, 2**40) or int(time.time()) // DAY * DAY
    holder = holder_of(call, g.text(given, "tab", most=64) or "")
    with call.store.read() as conn:
        app = call.app(conn, where)
        held = audits.count_held(conn, app.pk, holder=holder, at=now())
        left = draws.count_waiting(conn, app.pk) - held
        today = audits.answered(conn, app.pk, since=since * 1_000_000)
        ever = audits.answered(conn, app.pk)
        shown = standing(conn, app.pk)
    return {
        "left": left,
        "held": held,
        "mine": {"today": today.get(call.user_id, 0), "all": ever.get(call.user_id, 0)},
        "all": {"today": sum(today.values()), "all": sum(ever.values())},
        "people": [
            {"user_id": user_id, "today": n} for user_id, n in sorted(today.items(), key=lambda p: (-p[1], p[0]))
        ],
        **shown,
    }


def standing(conn: Connection, app: int) -> dict[str, Any]:
    """What the answers of an app's audits say: ``estimates`` and ``alarms``, as JSON."""
    found = of_app(conn, app)
    of = annotation_workers.models(conn, {e.standing.version for e in found} - {""})
    names = {i: row.name for i, row in concepts.by_ids(conn, app, {e.standing.concept for e in found} - {""}).items()}
    found.sort(key=lambda e: (not e.standing.alarm, e.standing.version, e.standing.concept != "", -e.drawn))
    return {
        "alarms": sum(e.standing.alarm for e in found),
        "estimates": [_show(e, of.get(e.standing.version), names) for e in found],
    }


def _show(e: Estimate, model: Row[Any] | None, names: dict[str, str]) -> Shown:
    """One estimate; ``concept`` is None for all of a version's concepts together."""
    s, known = e.standing, e.standing.estimate
    concept = {"id": s.concept, "name": names.get(s.concept) or s.concept} if s.concept else None
    target = None
    if e.target is not None:
        target = {
            "error": e.target.promise.error,
            "confidence": e.target.promise.confidence,
            "threshold": e.target.threshold(s.concept),
            "tuned_at": show_time(e.target.at),
        }
    return {
        "concept": concept,
        "model": {"id": model.id if model else "", "name": model.name if model else "", "version_id": s.version},
        "drawn": e.drawn,
        "waiting": e.waiting,
        "untold": e.untold,
        "below": e.below,
        "answered": known.answered,
        "wrong": known.wrong,
        "error": known.error if known.answered else None,
        "low": known.low,
        "high": known.high,
        "target": target,
        "state": s.state,
        "reason": s.reason,
        "alarm": s.alarm,
    }


def listing(conn: Connection, app: int) -> list[Shown]:
    """The audits of an app, newest first, as JSON."""
    return [
        {
            "id": row.id,
            "created_at": show_time(row.created_at),
            "user_id": row.user_id,
            "rate": row.params.get("rate"),
            "of": row.params.get("of"),
            "drawn": row.items,
            "answered": row.answered,
        }
        for row in draws.listing(conn, app, draws.AUDIT)
    ]
