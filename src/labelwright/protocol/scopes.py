"""The scopes of the API: their names, what each of them needs besides, and which ones a kind of key can use.

All of it is read from the options of the official messages: of the enum's values, and of the service's methods.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from functools import cache

from clarifai_grpc.grpc.auth.scope import scope_pb2

from labelwright.errors import InvalidRequest
from labelwright.protocol.methods import SERVICE, Method, methods

ALL = "All"
"""The scope that holds every other."""

_LONGEST = 100
"""Characters of a name that is looked at to find what is near: 5 MB of them took 5 s and 500 MB."""

_VALUES = [v for v in scope_pb2.DESCRIPTOR.enum_types_by_name["S"].values if v.number]


@cache
def depending() -> dict[str, frozenset[str]]:
    """Each scope's name to the scopes that it says it needs."""
    return {
        v.name: frozenset(scope_pb2.S.Name(s) for s in v.GetOptions().Extensions[scope_pb2.clarifai_depending_scopes])
        for v in _VALUES
    }


@cache
def exposed() -> tuple[str, ...]:
    """The scopes that the API offers to its users, in the order of their numbers."""
    return tuple(v.name for v in _VALUES if v.GetOptions().Extensions[scope_pb2.clarfai_exposed])


def closed(names: Iterable[str]) -> frozenset[str]:
    """Scopes with all that they need, and what that needs. `ALL` stands for every scope and swallows the others."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(depending().get(name, ()))
    return frozenset((ALL,)) if ALL in found else frozenset(found)


def named(text: str) -> str:
    """The name of a scope however it is written: ``Inputs_Get``, ``Inputs:Get`` and ``inputs:get`` are one.

    Raises:
        InvalidRequest: there is no such scope; says which are near.
    """
    found = _by_spelling().get(_spelling(text))
    if found is None:
        text = text[:_LONGEST]
        near = [_by_spelling()[s] for s in get_close_matches(_spelling(text), _by_spelling(), n=3, cutoff=0.5)]
        hint = f"; did you mean {', '.join(near)}?" if near else "."
        raise InvalidRequest(f"there is no scope {text!r}{hint} ListScopes lists them; {ALL} holds every one")
    return found


def endpoint(text: str) -> str:
    """The gRPC path of an RPC however it is written: ``/clarifai.api.V2/GetInput`` or ``GetInput``.

    Raises:
        InvalidRequest: there is no such RPC, or it needs no key; says which are near.
    """
    name = text.removeprefix("/").removeprefix(f"{SERVICE.full_name}/")
    method = methods().get(name)
    if method is None:
        near = get_close_matches(name[:_LONGEST], methods(), n=3, cutoff=0.6)
        hint = f"; did you mean {', '.join(methods()[n].path for n in near)}?" if near else "."
        raise InvalidRequest(f"there is no endpoint {text[:_LONGEST]!r}{hint} ListScopes lists them")
    if not method.needs_key:
        raise InvalidRequest(f"anybody may call {method.path}: leave it out of the endpoints")
    return method.path


def in_order(names: Collection[str]) -> list[str]:
    """Scopes in the order of their numbers, each once."""
    return [v.name for v in _VALUES if v.name in names]


def usable(*, personal: bool) -> tuple[list[str], list[Method]]:
    """What a key may be given: scopes that the API offers, and RPCs.

    Args:
        personal: for a personal access token; else for a key that is bound to an app, which can't call what needs
            a personal one, and so has no use for scopes that nothing else needs.
    """
    callable_ = [m for m in methods().values() if m.needs_key and (personal or not m.personal)]
    if personal:
        return list(exposed()), callable_
    used = closed(s for m in callable_ for s in m.scopes) | {ALL}
    return [name for name in exposed() if name in used], callable_


def _spelling(text: str) -> str:
    return re.sub(r"[:_.\s-]+", "", text).casefold()


@cache
def _by_spelling() -> dict[str, str]:
    return {_spelling(name): name for name in depending()}
