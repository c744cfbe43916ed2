"""Which HTTP calls mean which RPC, as the ``google.api.http`` options of the service declare them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from google.api import annotations_pb2, http_pb2  # type: ignore[import-untyped]

from labelwright.protocol.methods import SERVICE

_VARIABLE = re.compile(r"\{([^{}=]+)\}")
_TEMPLATE = re.compile(r"(?:/(?:\{[a-z0-9_.]+\}|[A-Za-z0-9_.~-]+))+")


@dataclass(frozen=True, slots=True)
class Binding:
    """One HTTP verb and path of an RPC. An RPC may have several."""

    method: str
    """The RPC's name: a key of `methods()`."""
    verb: str
    """``GET``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``."""
    template: str
    """The path with its variables: ``/v2/users/{user_app_id.user_id}/apps/{user_app_id.app_id}/inputs/{input_id}``."""
    body: str
    """What the body holds: ``*`` for the whole request, the name of one of its fields, or "" for no declared body."""
    hidden_by: str = ""
    """The RPC declared earlier that has the same verb and path, and answers; "" where this one does."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The template's parts between the slashes; a variable stands in its braces."""
        return tuple(self.template[1:].split("/"))

    @property
    def variables(self) -> tuple[str, ...]:
        """The request's fields that the path gives, dotted, as they come in it."""
        return tuple(_VARIABLE.findall(self.template))


@cache
def bindings() -> tuple[Binding, ...]:
    """Every binding of every RPC, served or not, in the order of declaration: an RPC's main one first.

    The first declaration wins where two differ in the names of their variables at most; the other has
    ``hidden_by``, and no call reaches it.
    """
    found: list[Binding] = []
    taken: dict[tuple[str, str], str] = {}
    for method in SERVICE.methods:
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for verb, template, body in _declared(rule):
            if not _TEMPLATE.fullmatch(template):
                # Wildcards over several segments and the like: legal in the option, used by no RPC so far.
                raise ValueError(f"{method.name}: the path {template!r} has a form that is not known here")
            first = taken.setdefault((verb, _VARIABLE.sub("{}", template)), method.name)
            hidden_by = "" if first == method.name else first
            found.append(Binding(method.name, verb, template, body, hidden_by))
    return tuple(found)


def _declared(rule: http_pb2.HttpRule) -> Iterator[tuple[str, str, str]]:
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        if verb == "custom":
            yield each.custom.kind.upper(), each.custom.path, each.body
        elif verb is not None:
            yield verb.upper(), getattr(each, verb), each.body
