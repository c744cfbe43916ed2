"""Concept mappers: from the concepts that a model knows to the app's own, along the app's relations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data

from labelwright.operators.concept_edit import edit_concepts
from labelwright.operators.registry import CONCEPT_FIELDS, Kind, ModelType, Param, register
from labelwright.operators.values import Batch, ConceptRef, Operator, Output, Relation, Snapshot

SYNONYM, HYPERNYM, HYPONYM = "synonym", "hypernym", "hyponym"
PREDICATES = (SYNONYM, HYPERNYM, HYPONYM)
INVERSE = {SYNONYM: SYNONYM, HYPERNYM: HYPONYM, HYPONYM: HYPERNYM}

Targets = Mapping[ConceptRef, tuple[ConceptRef, ...]]


def targets(snapshot: Snapshot, predicate: str, knowledge_graph_id: str = "") -> Targets:
    """For each concept that has any, the app's concepts A for which "A predicate concept" holds.

    A relation holds as stored and, turned round, as its inverse. Synonyms are followed one step; hypernyms
    and hyponyms on through the app's own concepts as far as they go, where a cycle ends.

    Args:
        knowledge_graph_id: only this graph's relations; "" means all of them.
    """
    step: dict[ConceptRef, list[ConceptRef]] = defaultdict(list)

    def add(subject: ConceptRef, said: str, obj: ConceptRef) -> None:
        ours = (subject.user_id, subject.app_id) == (snapshot.user_id, snapshot.app_id)
        if said == predicate and ours and subject not in step[obj]:
            step[obj].append(subject)

    for relation in _of_graph(snapshot.relations, knowledge_graph_id):
        add(relation.subject, relation.predicate, relation.object)
        add(relation.object, INVERSE[relation.predicate], relation.subject)
    if predicate == SYNONYM:
        return {start: tuple(found) for start, found in step.items() if found}
    return {start: _reach(start, step) for start in [k for k, found in step.items() if found]}


def _of_graph(relations: Iterable[Relation], knowledge_graph_id: str) -> list[Relation]:
    return [r for r in relations if knowledge_graph_id in ("", r.knowledge_graph_id)]


def _reach(start: ConceptRef, step: Mapping[ConceptRef, list[ConceptRef]]) -> tuple[ConceptRef, ...]:
    seen, queue = {start: None}, [start]
    while queue:
        for following in step.get(queue.pop(0), ()):
            if following not in seen:
                seen[following] = None
                queue.append(following)
    return tuple(list(seen)[1:])


Lookup = Mapping[tuple[str, str, str], list[ConceptRef]]
"""User, app and id of an incoming concept to what it becomes."""


def map_concepts(concepts: Iterable[Concept], lookup: Lookup) -> list[Concept]:
    """The app's concepts for these, highest score first.

    The score is carried over; where several lead to one, the highest counts; one may lead to several.
    """
    # All targets are the app's, so that their ids tell them apart, and a text is hashed but once.
    best: dict[str, tuple[float, ConceptRef]] = {}
    for concept in concepts:
        value = concept.value
        for target in lookup.get((concept.user_id, concept.app_id, concept.id), ()):
            if target.id not in best or value > best[target.id][0]:
                best[target.id] = value, target
    return [
        Concept(id=i, name=t.name, value=v, app_id=t.app_id, user_id=t.user_id)
        for i, (v, t) in sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    ]


def _lookup(found: Targets) -> Lookup:
    # A prediction names its concept's user and app; one that doesn't may mean anybody's concept of that id.
    lookup: dict[tuple[str, str, str], list[ConceptRef]] = defaultdict(list)
    for concept, reached in found.items():
        for user_id, app_id in product((concept.user_id, ""), (concept.app_id, "")):
            key = user_id, app_id, concept.id
            lookup[key].extend(t for t in reached if t not in lookup[key])
    return dict(lookup)


def _maker(predicate: str) -> Callable[[Mapping[str, Any], Data, Snapshot], Operator]:
    def make(params: Mapping[str, Any], _data: Data, snapshot: Snapshot) -> Operator:
        lookup = _lookup(targets(snapshot, predicate, params["knowledge_graph_id"]))

        def run(batch: Batch) -> Output:
            return Output([edit_concepts(d, lambda c: map_concepts(c, lookup)) for d in batch.data])

        return run

    return make


_KNOWLEDGE_GRAPH = Param(
    "knowledge_graph_id",
    Kind.STRING,
    "Follow only this knowledge graph's relations; empty: all relations of the app.",
    default="",
)

for _predicate, _says in (
    (SYNONYM, "are a synonym of it (either way round, one step)"),
    (HYPERNYM, "are a hypernym of it, near or far: a model's 'dog' becomes the app's 'animal'"),
    (HYPONYM, "are a hyponym of it, near or far: a model's 'food' becomes the app's 'honey'"),
):
    register(
        ModelType(
            id=f"concept-{_predicate}-mapper",
            title=f"Concept {_predicate} mapper",
            description=(
                f"Replaces each incoming concept by the app's concepts that {_says}. The score is carried "
                "over, the highest where several meet; a concept without a relation is dropped."
            ),
            inputs=CONCEPT_FIELDS,
            outputs=CONCEPT_FIELDS,
            params=(_KNOWLEDGE_GRAPH,),
            make=_maker(_predicate),
        )
    )
