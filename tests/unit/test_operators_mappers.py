"""The concept mappers against a plain reading of what relations mean."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Concept, Data, Frame, FrameInfo, Region
from hypothesis import given
from hypothesis import strategies as st

from labelwright.operators import registry
from labelwright.operators.concept_mappers import INVERSE, PREDICATES
from labelwright.operators.registry import check_params
from labelwright.operators.values import Batch, ConceptRef, Relation, Snapshot, Source
from tests.unit.some_data import LEFT, copied, says, scores, wire

ME, APP = "me", "mine"


def own(id: str) -> ConceptRef:
    return ConceptRef(ME, APP, id, f"my {id}")


def public(id: str) -> ConceptRef:
    return ConceptRef("clarifai", "main", id, id)


def map_data(data: Data, predicate: str, relations: Sequence[Relation], graph: str | None = None) -> Data | None:
    model_type = registry.get(f"concept-{predicate}-mapper")
    assert model_type.make is not None
    params = check_params(model_type, {} if graph is None else {"knowledge_graph_id": graph})
    operator = model_type.make(params, Data(), Snapshot(ME, APP, tuple(relations), frozenset((ME,))))
    return operator(Batch(Source([data]), [0], [data])).data[0]


def mapped(data: Data, predicate: str, relations: Sequence[Relation], graph: str | None = None) -> dict[str, float]:
    made = map_data(data, predicate, relations, graph)
    return {} if made is None else {c.id: round(c.value, 4) for c in made.concepts}


def incoming(ref: ConceptRef, value: float = 0.75) -> Concept:
    return Concept(id=ref.id, value=value, app_id=ref.app_id, user_id=ref.user_id)


def one(ref: ConceptRef, value: float = 0.75) -> Data:
    return Data(concepts=[incoming(ref, value)])


# --- by example -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "relation",
    [Relation(own("people"), "synonym", public("ai_1")), Relation(public("ai_1"), "synonym", own("people"))],
    ids=["as the tutorial has it", "the other way round"],
)
def test_a_synonym_leads_from_the_models_concept_to_the_apps_own(relation: Relation) -> None:
    made = map_data(one(public("ai_1")), "synonym", [relation])
    assert made is not None
    (concept,) = made.concepts
    assert (concept.id, concept.name, concept.app_id, concept.user_id) == ("people", "my people", APP, ME)
    assert concept.value == 0.75


def test_synonyms_are_followed_one_step_only() -> None:
    chain = [Relation(own("a"), "synonym", public("x")), Relation(own("b"), "synonym", own("a"))]
    assert mapped(one(public("x")), "synonym", chain) == {"a": 0.75}


def test_a_hypernym_mapper_leads_to_everything_above() -> None:
    up = [Relation(public("dog"), "hyponym", own("mammal")), Relation(own("animal"), "hypernym", own("mammal"))]
    assert mapped(one(public("dog")), "hypernym", up) == {"mammal": 0.75, "animal": 0.75}
    assert mapped(one(public("dog")), "hyponym", up) == {}


def test_a_hyponym_mapper_leads_to_everything_below() -> None:
    down = [Relation(public("food"), "hypernym", own("sweet")), Relation(own("honey"), "hyponym", own("sweet"))]
    assert mapped(one(public("food")), "hyponym", down) == {"sweet": 0.75, "honey": 0.75}


def test_a_chain_does_not_lead_through_another_apps_concept() -> None:
    broken = [
        Relation(public("dog"), "hyponym", public("mammal")),
        Relation(public("mammal"), "hyponym", own("animal")),
    ]
    assert mapped(one(public("dog")), "hypernym", broken) == {}


def test_a_circle_ends() -> None:
    circle = [Relation(own(a), "hypernym", own(b)) for a, b in ("ab", "bc", "ca")]
    assert mapped(one(own("a")), "hypernym", circle) == {"b": 0.75, "c": 0.75}


def test_a_relation_of_one_kind_says_nothing_to_another_mapper() -> None:
    relations = [Relation(own(p), p, public("x")) for p in PREDICATES]
    assert mapped(one(public("x")), "synonym", relations) == {"synonym": 0.75}
    assert mapped(one(public("x")), "hypernym", relations) == {"hypernym": 0.75}
    assert mapped(one(public("x")), "hyponym", relations) == {"hyponym": 0.75}


def test_a_knowledge_graph_leaves_out_the_relations_of_the_others() -> None:
    relations = [
        Relation(own("global"), "synonym", public("x")),
        Relation(own("first"), "synonym", public("x"), "g1"),
        Relation(own("second"), "synonym", public("x"), "g2"),
    ]
    data = one(public("x"))
    assert mapped(data, "synonym", relations) == mapped(data, "synonym", relations, "")
    assert set(mapped(data, "synonym", relations)) == {"global", "first", "second"}
    assert set(mapped(data, "synonym", relations, "g1")) == {"first"}
    assert set(mapped(data, "synonym", relations, "g3")) == set()


def test_many_to_one_keeps_the_highest_score_and_one_to_many_gives_it_to_each() -> None:
    relations = [Relation(own("pet"), "synonym", public(x)) for x in ("cat", "dog")]
    relations.append(Relation(own("barks"), "synonym", public("dog")))
    data = Data(concepts=[incoming(public("cat"), 0.5), incoming(public("dog"), 0.875)])
    made = map_data(data, "synonym", relations)
    assert made is not None
    assert [(c.id, c.value) for c in made.concepts] == [("barks", 0.875), ("pet", 0.875)]


def test_the_apps_own_concepts_are_mapped_like_any_and_dropped_without_a_relation() -> None:
    relations = [Relation(own("a"), "synonym", own("b"))]
    assert mapped(one(own("b")), "synonym", relations) == {"a": 0.75}
    assert mapped(one(own("c")), "synonym", relations) == {}


def test_a_concept_that_names_no_app_may_be_anybodys() -> None:
    relations = [
        Relation(own("from public"), "synonym", public("x")),
        Relation(own("from own"), "synonym", own("x")),
    ]
    assert set(mapped(says(("x", 1)), "synonym", relations)) == {"from public", "from own"}
    assert set(mapped(Data(concepts=[Concept(id="x", value=1, app_id="main")]), "synonym", relations)) == {
        "from public"
    }


def test_an_app_of_ones_own_may_be_called_main() -> None:
    mine = ConceptRef(ME, "main", "x", "mine")
    relations = (
        Relation(ConceptRef(ME, "main", "a"), "synonym", public("x")),
        Relation(ConceptRef(ME, "main", "b"), "synonym", mine),
    )
    model_type = registry.get("concept-synonym-mapper")
    assert model_type.make is not None
    operator = model_type.make(check_params(model_type, {}), Data(), Snapshot(ME, "main", relations))
    data = [one(public("x")), one(mine)]
    made = operator(Batch(Source(data), [0, 1], data)).data
    assert [[c.id for c in d.concepts] if d else None for d in made] == [["a"], ["b"]]


def test_regions_and_frames_are_mapped_and_those_left_empty_are_dropped() -> None:
    relations = [Relation(own("a"), "synonym", public("x"))]
    known, unknown = one(public("x")), one(public("y"))
    data = Data(
        concepts=unknown.concepts,
        regions=[
            Region(id="kept", region_info=LEFT, data=known),
            Region(id="dropped", data=unknown),
            Region(id="bare"),
        ],
        frames=[
            Frame(id="dropped", data=unknown),
            Frame(id="kept", frame_info=FrameInfo(time=40), data=Data(regions=[Region(id="inner", data=known)])),
        ],
    )
    before = wire(data)
    made = map_data(data, "synonym", relations)
    assert made is not None
    assert not made.concepts
    assert [(r.id, [c.id for c in r.data.concepts]) for r in made.regions] == [("kept", ["a"])]
    assert made.regions[0].region_info == LEFT
    assert [(f.id, f.frame_info.time, f.data.regions[0].id) for f in made.frames] == [("kept", 40, "inner")]
    assert wire(data) == before
    assert map_data(Data(regions=[Region(data=unknown)], frames=[Frame(data=unknown)]), "synonym", relations) is None


# --- against a brute force ------------------------------------------------------------------------

UNIVERSE = (*map(own, "abcd"), *map(public, "axy"), ConceptRef(ME, "other", "a"), ConceptRef("you", "main", "x"))

_refs = st.sampled_from(UNIVERSE)
_relations = st.lists(
    st.builds(Relation, _refs, st.sampled_from(PREDICATES), _refs, st.sampled_from(("", "g1", "g2"))), max_size=12
)


def _is_own(ref: ConceptRef) -> bool:
    return (ref.user_id, ref.app_id) == (ME, APP)


def reference(concept: ConceptRef, predicate: str, relations: Sequence[Relation], graph: str) -> set[ConceptRef]:
    """The app's concepts of which the relations say that they are a ``predicate`` of this one."""

    def holds(a: ConceptRef, b: ConceptRef) -> bool:
        return any(
            (r.subject, r.predicate, r.object) in ((a, predicate, b), (b, INVERSE[predicate], a))
            for r in relations
            if graph in ("", r.knowledge_graph_id)
        )

    ours = [c for c in UNIVERSE if _is_own(c)]
    found = {a for a in ours if holds(a, concept)}
    if predicate == "synonym":
        return found
    for _ in ours:
        found |= {a for a in ours for b in found if holds(a, b)}
    return found - {concept}


def means(given_concept: Concept, ref: ConceptRef) -> bool:
    """Whether an incoming concept may be this one: what it leaves out doesn't count."""
    return (
        given_concept.id == ref.id
        and given_concept.app_id in ("", ref.app_id)
        and given_concept.user_id in ("", ref.user_id)
    )


@st.composite
def _incoming(draw: st.DrawFn) -> Concept:
    concept = incoming(draw(_refs), draw(scores))
    if draw(st.booleans()):
        concept.user_id = ""
    if draw(st.booleans()):
        concept.app_id = ""
    return concept


@given(
    st.lists(_incoming(), max_size=5), st.sampled_from(PREDICATES), _relations, st.sampled_from(("", "g1", "g2", "no"))
)
def test_a_mapper_does_what_the_relations_say(
    concepts: list[Concept], predicate: str, relations: list[Relation], graph: str
) -> None:
    best: dict[ConceptRef, float] = {}
    for concept in concepts:
        for ref in UNIVERSE:
            if means(concept, ref):
                for target in reference(ref, predicate, relations, graph):
                    best[target] = max(best.get(target, 0), concept.value)
    expected = [(t.user_id, t.app_id, t.id, t.name, v) for t, v in sorted(best.items(), key=lambda b: (-b[1], b[0].id))]
    data = Data(concepts=concepts)
    before = copied(data)
    made = map_data(data, predicate, relations, graph)
    assert data == before
    assert (made is None) == (not expected)
    shown = [] if made is None else [(c.user_id, c.app_id, c.id, c.name, c.value) for c in made.concepts]
    assert shown == expected


@given(_refs, _relations)
def test_a_relation_means_the_same_turned_round(ref: ConceptRef, relations: list[Relation]) -> None:
    turned = [Relation(r.object, INVERSE[r.predicate], r.subject, r.knowledge_graph_id) for r in relations]
    for predicate in PREDICATES:
        assert mapped(one(ref), predicate, relations) == mapped(one(ref), predicate, turned)
