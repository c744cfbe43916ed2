"""Finding the binding of a verb and a path: a tree over the segments, literals before variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from labelwright.protocol.rest.bindings import Binding


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    ends: dict[str, Binding] = field(default_factory=dict)
    """The bindings of a path that ends here, by verb."""


class Trie:
    """A table of bindings, built once.

    Where a literal and a variable fit both, the literal is tried first, and what follows decides: the path
    ``/v2/models/types/x`` may mean a model called ``types`` if nothing else fits.
    """

    def __init__(self, known: Iterable[Binding]) -> None:
        self._root = _Node()
        for binding in known:
            if binding.hidden_by:
                continue
            node = self._root
            for segment in binding.segments:
                if segment.startswith("{"):
                    node.variable = node = node.variable or _Node()
                else:
                    node = node.literals.setdefault(segment, _Node())
            node.ends.setdefault(binding.verb, binding)

    def find(self, verb: str, segments: Sequence[str]) -> Binding | None:
        """The binding of a call, or None. ``segments``: the path's, still percent-encoded; none is empty."""
        return _find(self._root, verb, segments, 0)

    def verbs(self, segments: Sequence[str]) -> list[str]:
        """The verbs with which a path is known, sorted; none for an unknown path."""
        found: set[str] = set()
        _collect(self._root, segments, 0, found)
        return sorted(found)


def values(binding: Binding, segments: Sequence[str]) -> Mapping[str, str]:
    """What a path that the binding fits says for each of its variables, still percent-encoded."""
    return {part[1:-1]: given for part, given in zip(binding.segments, segments, strict=True) if part.startswith("{")}


def _find(node: _Node, verb: str, segments: Sequence[str], at: int) -> Binding | None:
    if at == len(segments):
        return node.ends.get(verb)
    segment = segments[at]
    below = node.literals.get(segment)
    if below is not None and (found := _find(below, verb, segments, at + 1)) is not None:
        return found
    if node.variable is not None and segment:
        return _find(node.variable, verb, segments, at + 1)
    return None


def _collect(node: _Node, segments: Sequence[str], at: int, found: set[str]) -> None:
    if at == len(segments):
        found.update(node.ends)
        return
    if (below := node.literals.get(segments[at])) is not None:
        _collect(below, segments, at + 1, found)
    if node.variable is not None and segments[at]:
        _collect(node.variable, segments, at + 1, found)
