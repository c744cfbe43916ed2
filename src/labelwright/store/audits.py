"""Auto-labels under audit: drawing them by chance, whether each still stands, what the answers say so far."""

from __future__ import annotations

import random
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)

from labelwright.store import draws, history
from labelwright.store import tables as t
from labelwright.store.draws import AUDIT, SUCCESS, NewItem
from labelwright.store.engine import Store
from labelwright.store.review_items import WAITING

_A, _C, _I, _D = t.annotations.c, t.annotation_concepts.c, t.drawn_items.c, t.draws.c

CHUNK = 5000
"""Labels that a statement reads or finds."""
WRITTEN = 2000
"""Labels that a transaction draws: 100,000 in one kept every other writer waiting for 3.8 s."""


class Drawn(NamedTuple):
    """What came of a draw."""

    id: str
    """"" where there was nothing to draw."""
    drawn: int
    of: int
    """Auto-labels that there were and no audit had drawn yet."""


# --- drawing --------------------------------------------------------------------------------------


def _undrawn(query: Select[Any], app: int, versions: Collection[str] | None) -> Select[Any]:
    """Auto-labels that no audit has drawn: a model's success annotations that no person touched, concept by concept."""
    seen = (
        select(_I.pk)
        .join(t.draws, _D.pk == _I.draw)
        # By the input, which has an index.
        .where(_I.input == _A.input, _I.annotation_id == _A.id, _I.position == _C.position, _D.kind == AUDIT)
        .exists()
    )
    query = query.join_from(t.annotations, t.annotation_concepts, _C.annotation == _A.pk).where(
        _A.app == app, _is_automatic(), ~seen
    )
    return query if versions is None else query.where(_A.model_version_id.in_(versions))


def _is_automatic() -> ColumnElement[bool]:
    return and_(_A.status_code == SUCCESS, _A.origin == t.MODEL, _A.touched.is_(False), _A.input_level.is_(False))


def choose(
    conn: Connection, app: int, *, rate: float, n: int | None, versions: Collection[str] | None, seed: int
) -> tuple[list[tuple[int, int]], int]:
    """Choose auto-labels at random, without writing: annotation key and position of each, and of how many they are.

    Every one is as likely as any other, whatever its concept, version or score.

    Args:
        rate: the share of them, above 0 and at most 1, rounded up.
        n: so many instead of a share.
        versions: ids of model versions; None for all.
    """
    keys, positions = array("q"), array("i")
    last = (0, -1)
    while True:
        query = _undrawn(select(_A.pk, _C.position), app, versions)
        query = query.where(_A.pk >= last[0], tuple_(_A.pk, _C.position) > last)
        rows = conn.execute(query.order_by(_A.pk, _C.position).limit(CHUNK)).all()
        keys.extend(row[0] for row in rows)
        positions.extend(row[1] for row in rows)
        if len(rows) < CHUNK:
            break
        last = (rows[-1][0], rows[-1][1])
    of = len(keys)
    # Rounded first: 0.07 of 100 is 7.000000000000001.
    wanted = min(of, n if n is not None else -int(-round(rate * of, 6) // 1))
    chosen = random.Random(seed).sample(range(of), wanted)
    return [(keys[i], positions[i]) for i in chosen], of


def draw(
    store: Store,
    app: int,
    chosen: Sequence[tuple[int, int]],
    of: int,
    *,
    user_id: str,
    rate: float,
    n: int | None,
    versions: Collection[str] | None,
    seed: int,
) -> Drawn | None:
    """Put what `choose` chose into the audit queue, in that order; what has been drawn or changed since is left out.

    In transactions of its own, one every WRITTEN labels, so that nobody waits long for a turn to write. What is there
    already where one fails stays, and is a random sample too: the first that chance chose.

    Returns:
        What was drawn; None where the app is gone.
    """
    params = {"rate": rate, "n": n, "model_versions": sorted(versions) if versions else [], "seed": seed, "of": of}
    # The share that was wanted, not the one that rounding made of it: draws at the same rate then weigh the same.
    chance = rate if n is None else len(chosen) / of
    version = next(iter(versions)) if versions and len(versions) == 1 else ""
    made: Row[Any] | None = None
    drawn = 0
    for start in range(0, len(chosen), WRITTEN):
        with store.write() as conn:
            # While the app is held nobody else draws from it: what is undrawn now is so until this is on disk.
            if not _hold_app(conn, app):
                return None
            rows = _still_undrawn(conn, app, chosen[start : start + WRITTEN])
            items = [
                NewItem(r.input, r.concept_id, r.model_version_id, r.score, chance, r.id, r.position) for r in rows
            ]
            if made is not None:
                draws.add(conn, app, made.pk, items)
            elif items:
                made = draws.draw(conn, app, AUDIT, items, user_id=user_id, params=params, model_version_id=version)
        drawn += len(items)
    return Drawn("" if made is None else made.id, drawn, of)


def _still_undrawn(conn: Connection, app: int, chosen: Sequence[tuple[int, int]]) -> list[Row[Any]]:
    """Those of the chosen labels that are there and no audit has drawn, in the order given."""
    wanted = [
        _A.pk,
        _A.id,
        _A.input,
        _A.model_version_id,
        _C.position,
        func.coalesce(_C.score, _C.value).label("score"),
        t.concepts.c.id.label("concept_id"),
    ]
    query = _undrawn(select(*wanted), app, None).join(t.concepts, t.concepts.c.pk == _C.concept)
    rows = conn.execute(query.where(_A.pk.in_(sorted({pk for pk, _ in chosen}))))
    found = {(row.pk, row.position): row for row in rows}
    return [found[place] for place in chosen if place in found]


def versions_of(conn: Connection, app: int) -> set[str]:
    """The ids of the model versions that wrote the app's automatic labels; "" for none among them."""
    return set(conn.execute(select(_A.model_version_id).where(_A.app == app, _is_automatic()).distinct()).scalars())


def _hold_app(conn: Connection, app: int) -> bool:
    """Let nobody change or delete an app, or draw from it, until the transaction ends; False where it is gone."""
    query = select(t.apps.c.pk).where(t.apps.c.pk == app).with_for_update(key_share=True)
    return conn.execute(query).first() is not None


# --- what became of a drawn label -----------------------------------------------------------------


class Word(NamedTuple):
    """What people made of a drawn label in another way than by the audit."""

    answer: int
    """WRONG where they denied it, RIGHT where they accepted it, UNTOLD where they put it in doubt."""
    by: str
    """"" where it is not known."""


GONE = Word(-1, "")
"""It is there no more, and no person did that: a run was taken back, or another one replaced it."""


class Standing(NamedTuple):
    """A drawn label that is there: it can be asked about."""

    annotation: int
    position: int
    """Where it is now: a person's patch may have moved it."""
    slot: int
    wire: bytes


def standing(conn: Connection, app: int, items: Iterable[Row[Any]]) -> dict[int, Standing | Word]:
    """Key of a drawn item to its label, where that is there and says yes; else to what became of it.

    A label that a person patched and left as it is, is asked about like any other: the patch may have been about
    something else of the annotation.
    """
    rows = list(items)
    there: dict[str, list[Any]] = {}
    query = (
        select(_A.id, _A.pk, _A.status_code, _A.wire, _C.position, _C.slot, _C.value, t.concepts.c.id.label("concept"))
        .outerjoin_from(t.annotations, t.annotation_concepts, _C.annotation == _A.pk)
        .outerjoin(t.concepts, t.concepts.c.pk == _C.concept)
        .where(_A.app == app, _A.id.in_(bindparam("ids", expanding=True)))
        .order_by(_A.pk, _C.position)
    )
    ids = sorted({row.annotation_id for row in rows})
    for some in _chunks(ids):
        for found in conn.execute(query, {"ids": list(some)}):
            there.setdefault(found.id, []).append(found)
    past = history.of_annotations(conn, app, ids)
    return {row.pk: _became(row, there.get(row.annotation_id), past.get(row.annotation_id, [])) for row in rows}


def _became(item: Row[Any], there: list[Any] | None, past: Sequence[Row[Any]]) -> Standing | Word:
    words = [row for row in past if row.undone_at is None]
    name = f"{item.annotation_id}.{item.position}"
    for row in reversed(words):
        if row.item == name and row.kind in history.VERDICTS:
            codes = {history.ACCEPT: draws.RIGHT, history.FLAG: draws.UNTOLD}
            return Word(codes.get(row.kind, draws.WRONG), row.user_id)
    by = words[-1].user_id if words else ""
    if there is None:
        return Word(draws.WRONG, by) if words and words[-1].kind == history.DELETE else GONE
    if there[0].status_code != SUCCESS:
        return Word(draws.UNTOLD, by)
    same = [c for c in there if c.concept == item.concept_id]
    here = next((c for c in same if c.position == item.position), same[0] if same else None)
    if here is None or not here.value > 0:
        return Word(draws.WRONG, by) if words else GONE
    return Standing(here.pk, here.position, here.slot, bytes(here.wire or b""))


def settle(conn: Connection, words: Iterable[tuple[int, Word]]) -> None:
    """Keep what people said elsewhere as the answers to these items (by key): nobody is asked any more.

    Were these left out instead, the labels that people find wrong by themselves would be missing from the estimate.
    What is GONE was taken away without a look at whether it was right: it is drawn no more.
    """
    gone = []
    for pk, word in words:
        if word == GONE:
            gone.append(pk)
        else:
            draws.answer(conn, pk, word.answer, by=word.by, said={"elsewhere": True})
    for some in _chunks(gone):
        conn.execute(delete(t.drawn_items).where(_I.pk.in_(some), _I.answer.is_(None)))


def reopen(conn: Connection, app: int, undone: Iterable[Row[Any]]) -> None:
    """Let items wait again whose answers rest on entries of the history that were just undone."""
    asked: list[int] = []
    changed: set[str] = set()
    for row in undone:
        drawn = (row.result or {}).get("drawn")
        if drawn is not None:
            asked.append(int(drawn))
        else:
            changed.add(row.annotation_id)
    empty: dict[str, Any] = dict.fromkeys(("answer", "answered_by", "answered_at", "held_by", "held_until"))
    for some in _chunks(asked):
        conn.execute(update(t.drawn_items).where(_I.app == app, _I.pk.in_(some)).values(said=None, **empty))
    for some in _chunks(sorted(changed)):
        inputs = select(_A.input).where(_A.app == app, _A.id.in_(some))
        query = update(t.drawn_items).where(
            _I.app == app,
            # By the input, which has an index.
            _I.input.in_(inputs),
            _I.annotation_id.in_(some),
            _I.said["elsewhere"].as_boolean().is_(True),
        )
        conn.execute(query.values(said=None, **empty))


# --- what the answers say -------------------------------------------------------------------------


class Answered(NamedTuple):
    """One answer that tells right from wrong."""

    score: float | None
    right: bool
    chance: float


class Tally(NamedTuple):
    """The audit's answers about one concept of one model version."""

    concept_id: str
    model_version_id: str
    drawn: int
    waiting: int
    untold: int
    answers: tuple[Answered, ...]
    """In the order of chance."""


def tallies(
    conn: Connection, app: int | None = None, versions: Collection[str] | None = None
) -> dict[int, list[Tally]]:
    """App's key to its tallies by concept and version; of all apps, or versions, where none are named."""
    of_audits = select(_I.pk).join_from(t.drawn_items, t.draws, _D.pk == _I.draw).where(_D.kind == AUDIT)
    if app is not None:
        of_audits = of_audits.where(_I.app == app)
    if versions is not None:
        of_audits = of_audits.where(_I.model_version_id.in_(versions))
    place = (_I.app, _I.concept_id, _I.model_version_id)
    # Counted where the rows lie: many are drawn, few of them are answered at first.
    counted = of_audits.with_only_columns(*place, _I.answer, func.count().label("n")).group_by(*place, _I.answer)
    counts: dict[tuple[int, str, str], dict[int | None, int]] = {}
    for row in conn.execute(counted):
        counts.setdefault(tuple(row[:3]), {})[row.answer] = row.n
    told = of_audits.with_only_columns(*place, _I.score, _I.answer, _I.chance).order_by(_I.pk)
    answers: dict[tuple[int, str, str], list[Answered]] = {}
    for row in conn.execute(told.where(_I.answer.in_((draws.WRONG, draws.RIGHT)))):
        answers.setdefault(tuple(row[:3]), []).append(Answered(row[3], row[4] == draws.RIGHT, row[5]))
    found: dict[int, list[Tally]] = {}
    for key, n in sorted(counts.items()):
        tally = Tally(
            *key[1:],
            drawn=sum(n.values()),
            waiting=n.get(None, 0),
            untold=n.get(draws.UNTOLD, 0),
            answers=tuple(answers.get(key, ())),
        )
        found.setdefault(key[0], []).append(tally)
    return found


def asked_about(conn: Connection, app: int, pks: Collection[int]) -> set[str]:
    """The ids of the model versions whose auto-labels these items of audits (by key) ask about."""
    query = select(_I.model_version_id).join_from(t.drawn_items, t.draws, _D.pk == _I.draw)
    return set(conn.execute(query.where(_I.app == app, _I.pk.in_(pks), _D.kind == AUDIT).distinct()).scalars())


def answered(conn: Connection, app: int, *, since: int = 0) -> dict[str, int]:
    """User id to how many drawn items they answered, from a time in microseconds on."""
    query = select(_I.answered_by, func.count()).where(_I.app == app, _I.answer.is_not(None), _I.answered_at >= since)
    query = query.where(or_(_I.said.is_(None), _I.said["elsewhere"].as_boolean().is_not(True)))
    return {row[0]: row[1] for row in conn.execute(query.group_by(_I.answered_by)) if row[0]}


def count_held(conn: Connection, app: int, *, holder: str, at: int) -> int:
    """How many items others hold at a time in microseconds."""
    query = select(func.count()).where(_I.app == app, _I.answer.is_(None), _I.held_until > at, _I.held_by != holder)
    found: int = conn.execute(query).scalar_one()
    return found


def last_answered(conn: Connection, app: int, user_id: str) -> int | None:
    """The key of the item that somebody answered last."""
    query = (
        select(_I.pk)
        .where(_I.app == app, _I.answer.is_not(None), _I.answered_by == user_id)
        .where(_I.said["action"].as_string().is_not(None))
    )
    found: int | None = conn.execute(query.order_by(_I.answered_at.desc(), _I.pk.desc()).limit(1)).scalar()
    return found


def of_action(conn: Connection, app: int, user_id: str, action: str) -> list[int]:
    """The keys of the items that somebody answered in an action."""
    query = select(_I.pk).where(_I.app == app, _I.answered_by == user_id, _I.said["action"].as_string() == action)
    return list(conn.execute(query.order_by(_I.pk)).scalars())


def claims(conn: Connection, app: int, items: Iterable[Row[Any]]) -> dict[int, tuple[str, int]]:
    """Key of a drawn item to the annotation (id, position) in which its model said so of the whole input.

    Those alone that no person has touched, whether they are labels or wait for a person.
    """
    rows = {(row.input, row.model_version_id, row.concept_id): row.pk for row in items}
    if not rows:
        return {}
    query = (
        select(_A.id, _A.input, _A.model_version_id, _C.position, t.concepts.c.id.label("concept_id"))
        .join_from(t.annotations, t.annotation_concepts, _C.annotation == _A.pk)
        .join(t.concepts, t.concepts.c.pk == _C.concept)
        .where(
            _A.input.in_(sorted({input_ for input_, _, _ in rows})),
            _A.app == app,
            _A.origin == t.MODEL,
            _A.touched.is_(False),
            _A.input_level.is_(False),
            _A.status_code.in_((SUCCESS, *WAITING)),
            _C.slot == -1,
        )
        .order_by(_A.pk.desc(), _C.position.desc())
    )
    found = ((rows.get((r.input, r.model_version_id, r.concept_id)), r) for r in conn.execute(query))
    return {pk: (r.id, r.position) for pk, r in found if pk is not None}


def lock(conn: Connection, app: int, pks: Collection[int]) -> dict[int, Row[Any]]:
    """As `draws.items`; nobody else changes them until the transaction ends."""
    if pks:
        query = select(_I.pk).where(_I.app == app, _I.pk.in_(list(pks))).order_by(_I.pk)
        conn.execute(query.with_for_update()).all()
    return draws.items(conn, app, pks)


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[i : i + CHUNK] for i in range(0, len(values), CHUNK))
