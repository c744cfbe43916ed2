"""The concept that something is instead of what was proposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row

from labelwright.errors import InvalidRequest
from labelwright.ids import free_id_problem
from labelwright.protocol import given as g
from labelwright.protocol.verdict_rules import Named
from labelwright.store import apps, concepts


def named(conn: Connection, app: Row[Any], wanted: Any, *, besides: str = "") -> Named:
    """The concept that ``new_concept`` names, by id or by name; made in the app where it is new.

    Args:
        besides: the id of a concept that it can't be; "" for none.

    Raises:
        InvalidRequest: none is named, or one that it can't be.
    """
    if not isinstance(wanted, Mapping):
        raise InvalidRequest("new_concept is missing: {id} or {name} says what it is instead")
    id_, name = g.text(wanted, "id"), g.text(wanted, "name")
    if id_ is None:
        if name is None:
            raise InvalidRequest("new_concept has neither id nor name")
        name = name.strip()
        id_ = concepts.called(conn, app.pk, name) or name
    if problem := free_id_problem(id_) or (free_id_problem(name) if name else None):
        raise InvalidRequest(f"new_concept: {problem}")
    if id_ == besides:
        raise InvalidRequest(f"{id_!r} is what it is called already; accept it")
    known = concepts.keys(conn, app.pk, [id_])
    if not known:
        known = concepts.ensure(conn, app.pk, {id_: name or id_})
        apps.bump(conn, app.pk)
    return Named(known[id_], id_)
