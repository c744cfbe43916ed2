"""What a loop draws, and what of it tells about the next version too."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest
from labelwright.store import draws, loops
from labelwright.training import rounds
from labelwright.training.claims import CHUNK, Claims, Floats, Ints, Subject, Words

_UNSAID = object()


class Again(NamedTuple):
    """A verified input, seen by another version."""

    item: Row[Any]
    """The item that was answered."""
    concept: int
    """The number of the concept that this version claims."""
    score: float
    code: int
    """The answer to this claim."""


def items_of(conn: Connection, app: int, draw_ids: Collection[str]) -> list[Row[Any]]:
    """The items of draws, in the order of chance."""
    wanted = set(draw_ids)
    return [item for item in draws.drawn(conn, app) if item.draw_id in wanted] if wanted else []


def drop_unanswered(conn: Connection, app: int, draw_ids: Collection[str]) -> int:
    """Ask nobody any more what was to teach; returns how many items that were."""
    waiting = [i.pk for i in items_of(conn, app, draw_ids) if i.answer is None and i.kind == draws.TEACH]
    return loops.drop_items(conn, waiting)


def carried(
    of: Subject, everything: Claims, said: Words, verified: Sequence[Row[Any]], spoiled: Collection[int]
) -> list[Again]:
    """What people answered about claims of older versions, as answers to this version's claims of the same inputs.

    They were drawn whatever any version said of them, and no version has learned from them.

    Args:
        everything: all that this version claims, one claim of an input.
        spoiled: inputs that would have been chosen to learn from: what is left has none like them.
    """
    place = {int(pk): row for row, pk in enumerate(everything.inputs)}
    made: dict[int, Again] = {}
    for item in verified:
        row = place.get(item.input)
        if item.answer is None or item.input in spoiled or item.input in made or row is None:
            continue
        number = int(everything.concepts[row])
        code = _code(of, said, item, number)
        made[item.input] = Again(item, number, float(everything.scores[row]), code)
    return list(made.values())


def _code(of: Subject, said: Words, item: Row[Any], number: int) -> int:
    word = said.about(of, item.input, number)
    if word is not None:
        return draws.RIGHT if word[0] else draws.WRONG
    if item.answer == draws.UNTOLD:
        return draws.UNTOLD
    claim = of.concepts[number]
    told = (item.said or {}).get("concept", _UNSAID)
    if told is _UNSAID and item.answer == draws.RIGHT:
        told = item.concept_id
    if told is not _UNSAID:
        return draws.RIGHT if told == claim else draws.WRONG
    # It was wrong, and nobody said what it is: another claim may be right, which nobody knows.
    return draws.WRONG if claim == item.concept_id else draws.UNTOLD


def draw(conn: Connection, loop: Row[Any], of: Subject, pool: Claims, rows: Sequence[int], number: int) -> str:
    """Draw these rows of claims, in the order of chance, to be verified; returns the draw's id."""
    chance = len(rows) / len(pool)
    items = [
        draws.NewItem(int(pool.inputs[i]), of.concepts[pool.concepts[i]], of.version.id, float(pool.scores[i]), chance)
        for i in rows
    ]
    return str(_add(conn, loop, of, items, number, of_pool=len(pool)).id)


def draw_again(conn: Connection, loop: Row[Any], of: Subject, again: Sequence[Again], number: int) -> None:
    """Keep what was verified before as verified claims of this version, answers and all."""
    if not again:
        return
    items = [draws.NewItem(a.item.input, of.concepts[a.concept], of.version.id, a.score, a.item.chance) for a in again]
    made = _add(conn, loop, of, items, number, carried=True)
    rows = [i for i in draws.drawn(conn, of.app.pk, of.version.id, draws.VERIFY) if i.draw == made.pk]
    for row, a in zip(rows, again, strict=True):
        # Elsewhere: nobody answered this one, and it counts among nobody's answers.
        told = {"elsewhere": True, "carried": a.item.pk}
        draws.answer(conn, row.pk, a.code, by=a.item.answered_by or "", said=told, at=a.item.answered_at)


def _add(
    conn: Connection, loop: Row[Any], of: Subject, items: Sequence[draws.NewItem], number: int, **more: Any
) -> Row[Any]:
    params = {"loop": loop.id, "round": number, "model_id": of.version.model_id, "exclusive": of.exclusive, **more}
    return draws.draw(
        conn,
        of.app.pk,
        draws.VERIFY,
        items,
        user_id=of.app.user_id,
        params=params,
        model_version_id=of.version.id,
    )


def informative(
    of: Subject, keys: Ints, vectors: Floats, gone: Collection[int], count: int, *, besides: Collection[int] = ()
) -> list[int]:
    """The inputs that a model would learn most from: those it is least sure of, near-duplicates left out.

    Args:
        keys, vectors: (n,) and (n, d) of all inputs.
        gone: keys of those that are not to be chosen.
        count: how many, not counting ``besides``.
        besides: keys of those that are chosen like any other, and make no difference to how many others are.

    Raises:
        InvalidRequest: the version has no head that could say how sure it is.
    """
    if of.head is None:
        raise InvalidRequest("the version has no head that says how sure it is")
    if not len(keys) or vectors.shape[1] != of.head.dimensions:
        return []
    chunks = [of.head.scores(vectors[i : i + CHUNK]) for i in range(0, len(vectors), CHUNK)]
    scores = np.concatenate(chunks)
    # Of one concept it is unsure in the middle.
    sure = rounds.sureness(scores) if scores.shape[1] > 1 else np.abs(scores[:, 0] - 0.5)
    left = np.flatnonzero(~np.isin(keys, sorted(gone)))
    size = count
    while count > 0:
        chosen = keys[rounds.informative(left, sure, vectors, size)]
        others = np.cumsum(~np.isin(chosen, sorted(besides)))
        if size >= len(left) or (len(others) and others[-1] >= count):
            return [int(pk) for pk in chosen[: int(np.searchsorted(others, count)) + 1]]
        size *= 2
    return []
