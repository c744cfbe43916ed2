"""The loop's rules: what a round may ask, what becomes of auto-labels, when it ends, and how it is drawn."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelwright.cli.loop_plot import page, svg
from labelwright.errors import InvalidRequest
from labelwright.operators.head_parts import Linear
from labelwright.operators.heads import Head
from labelwright.store.draws import RIGHT, UNTOLD, WRONG
from labelwright.training import loop, loop_draws
from labelwright.training.claims import Claims, Subject, Words
from labelwright.training.loop import ALL, HELD, NONE, PEOPLE, REST, Params, Round, Spent, outcome

PARAMS = Params("m")


def a_round(**given: Any) -> Round:
    values: dict[str, Any] = {
        **dict.fromkeys(("trained", "taught", "verified", "reviewed", "auto", "open"), 0),
        **dict.fromkeys(("version", "advice", "tuning", "run"), ""),
        **dict.fromkeys(("bound", "promise")),
        "number": 1,
        "pool": 0,
        "way": ALL,
        "thresholds": {},
        "at": 1,
    }
    return Round(**{**values, **given})


def test_parameters_come_back_from_the_store_as_they_were() -> None:
    params = Params("m", ("a", "b"), joint=False, budget=7)
    assert Params.from_json({**params.to_json(), "unknown": 1}) == params
    one = a_round(thresholds={"a": 0.5}, promise=0.01)
    assert Round.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"error": 0.0}, "error is 0.0"),
        ({"error": 0.5}, "error is 0.5"),
        ({"confidence": 1.0}, "confidence is 1.0"),
        ({"seed_size": 1}, "seed_size is 1; 2 to"),
        ({"rounds": 101}, "rounds is 101; 1 to 100"),
        ({"budget": -1}, "budget is -1"),
        ({"batch": 0}, "batch is 0"),
        ({"verify": 0}, "verify is 0"),
        ({"concepts": ("a", "a")}, "named twice"),
    ],
)
def test_what_can_not_be_meant_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        Params("m", **given).check()


def test_the_rounds_share_the_risk() -> None:
    assert math.isclose(PARAMS.round_confidence, 0.99)
    assert math.isclose(Params("m", rounds=1).round_confidence, 0.95)
    # ln(0.01 · 6/π²) / ln(0.99)
    assert loop.enough_verified(0.01, 0.95, 5) == 508
    assert loop.verify_by_default(0.01, 0.95, 5) == 762


def test_the_seed_grows_until_it_shows_enough() -> None:
    params = Params("m", seed_size=40)
    assert loop.more_to_seed(params, 0, 0, False, 1000) == 40
    assert loop.more_to_seed(params, 15, 0, False, 1000) == 25
    assert loop.more_to_seed(params, 0, 0, False, 12) == 12
    # All of it was asked, some could not be told; and where one concept alone was seen, more are asked.
    assert loop.more_to_seed(params, 35, 40, True, 1000) == 0
    assert loop.more_to_seed(params, 35, 40, False, 1000) == 10
    assert loop.more_to_seed(params, 35, 40, False, 0) == 0
    assert [loop.enough_shown(params, n) for n in (0, 1, 2)] == [False, False, True]
    assert loop.enough_shown(Params("m", ("a",)), 1)


@given(st.integers(1, 500), st.integers(0, 600), st.booleans(), st.booleans())
def test_a_batch_is_parted_within_the_budget(batch: int, budget: int, proven: bool, exclusive: bool) -> None:
    teach, verify = loop.parted(Params("m", batch=batch), budget, proven=proven, exclusive=exclusive)
    assert teach + verify == min(batch, budget)
    assert 0 <= verify <= teach or not teach
    assert verify == 0 or exclusive
    if exclusive and min(batch, budget) >= 10:
        assert verify * 5 >= min(batch, budget) - 5 if proven else verify * 2 >= min(batch, budget) - 2


def test_what_may_be_asked_is_what_is_left_of_the_budget() -> None:
    assert loop.left(Params("m", budget=10), Spent(3, 4, 1)) == 2
    assert loop.left(Params("m", budget=10), Spent(30, 4, 1)) == 0
    assert loop.left(PARAMS, Spent(30, 4, 1)) > 10**6


def test_a_better_bound_takes_the_place_of_all() -> None:
    old, new = {(1, "a")}, {(1, "b"), (2, "a")}
    assert outcome(old, new, promise=0.04, bounds={None: 0.03}, error=0.05) == loop.Outcome(ALL, 0.03)
    assert outcome(old, new, promise=None, bounds={None: 0.05}, error=0.05) == loop.Outcome(ALL, 0.05)
    assert outcome(set(), new, promise=0.01, bounds={None: 0.05}, error=0.05) == loop.Outcome(ALL, 0.05)


def test_without_a_better_bound_what_stands_stays_and_the_rest_keeps_within_the_error() -> None:
    old = {(i, "a") for i in range(50)}
    new = {(i, "a") for i in range(100)}
    assert outcome(old, new, promise=0.03, bounds={None: 0.04}, error=0.05) == loop.Outcome(REST, 0.04)
    # One that stands would be labelled otherwise: at worst it is a mistake too.
    other = (new - {(0, "a")}) | {(0, "b")}
    got = outcome(old, other, promise=0.03, bounds={None: 0.04}, error=0.05)
    assert got.way == REST
    assert math.isclose(got.promise or 0, (0.04 * 100 + 1) / 100)
    few = {(i, "a") for i in range(40, 100)}
    assert outcome(old, few, promise=0.03, bounds={None: 0.04}, error=0.05) == loop.Outcome(HELD, 0.03)
    assert outcome(old, new, promise=0.03, bounds={}, error=0.05) == loop.Outcome(NONE, 0.03)


def test_each_concept_keeps_its_own_promise() -> None:
    old = {(i, "a") for i in range(50)} | {(i, "b") for i in range(50, 60)}
    new = {(i, "a") for i in range(49)} | {(i, "b") for i in range(50, 100)}
    bounds: dict[str | None, float] = {"a": 0.04, "b": 0.04}
    got = outcome(old, new, promise=0.03, bounds=bounds, error=0.05)
    assert (got.way, got.promise) == (HELD, 0.03)
    assert outcome(old, new, promise=0.03, bounds=bounds, error=0.06).way == REST
    # A concept that the new version promises nothing of keeps what stands.
    assert outcome(old, new, promise=0.045, bounds={"b": 0.045}, error=0.05).way == REST


PAIRS = st.sets(st.tuples(st.integers(0, 12), st.sampled_from("ab")), max_size=12)


@given(PAIRS, PAIRS, PAIRS)
def test_no_promise_is_broken_by_a_mixture(old: Any, new: Any, wrong: Any) -> None:
    """Where the promise about the new labels holds, that about the mixture does, whatever is wrong of what stands."""
    bad = len(new & wrong)
    bound = bad / len(new) if new else 0.0
    got = outcome(old, new, promise=0.0, bounds={None: bound}, error=1.0)
    if got.way == REST and old:
        taken = {pk for pk, _ in old}
        union = old | {pair for pair in new if pair[0] not in taken}
        assert len(union & wrong) <= (got.promise or 0) * len(union) + 1e-9


def test_a_loop_ends_when_all_is_labelled_the_budget_spent_or_the_rounds_played() -> None:
    params = Params("m", budget=9, rounds=3)
    assert loop.ended(params, a_round(open=0), 5) == "everything is labelled"
    assert loop.ended(params, a_round(open=1), 0) == "the budget of 9 human labels is spent"
    assert loop.ended(params, a_round(open=1, number=3), 5) == "all 3 rounds are played"
    assert loop.ended(params, a_round(open=1, number=2), 5) == ""


def test_a_line_tells_the_round() -> None:
    one = a_round(taught=10, verified=20, reviewed=1, auto=60, open=9, pool=100, promise=0.0123)
    assert one.line() == (
        "Round 1: 31 human labels (10 taught, 20 verified, 1 reviewed); 60 of 100 auto-labelled, at most 1.23 % of "
        "them wrong; 9 open; labelled anew."
    )
    assert "nothing can be promised yet (verify 9 more)" in a_round(way=NONE, advice="verify 9 more").line()
    assert "what stands stays" in a_round(way=HELD).line()
    assert "the rest labelled" in a_round(way=REST).line()
    assert "people labelled what was left" in a_round(way=PEOPLE).line()


def test_the_drawing_holds_every_number_and_the_page_too() -> None:
    played = [
        a_round(pool=100, taught=10, verified=20, open=70),
        a_round(number=2, pool=100, taught=20, verified=25, auto=50, open=5, promise=0.02, bound=0.02),
    ]
    params = Params("m<&>")
    root = ET.fromstring(svg(params, played))
    titles = [e.text for e in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [
        "round 1, people, to teach: 10",
        "round 1, people, by chance: 20",
        "round 1, open: 70",
        "round 2, people, to teach: 20",
        "round 2, people, by chance: 25",
        "round 2, auto-labelled: 50",
        "round 2, open: 5",
    ]
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"no promise", "≤ 2.00 %", "round 1", "round 2"} <= set(texts)
    told = page("id", params, played)
    assert "m&lt;&amp;&gt;" in told
    assert told.count("<tr>") == 3


# --- what is drawn --------------------------------------------------------------------------------


def subject(**given: Any) -> Subject:
    nothing: Any = None
    return Subject(nothing, nothing, None, ("a", "b"), exclusive=True, **given)


def item(input_key: int, answer: int | None, **said: Any) -> Any:
    """An answer to the claim that an input shows a."""
    return SimpleNamespace(input=input_key, answer=answer, said=said or None, concept_id="a")


@pytest.mark.parametrize(
    ("said", "claims_a", "claims_b"),
    [
        (item(1, RIGHT), RIGHT, WRONG),
        (item(1, RIGHT, concept="a"), RIGHT, WRONG),
        (item(1, WRONG, concept="b"), WRONG, RIGHT),
        (item(1, WRONG, concept=None), WRONG, WRONG),
        (item(1, WRONG, elsewhere=True), WRONG, UNTOLD),
        (item(1, UNTOLD), UNTOLD, UNTOLD),
    ],
)
def test_an_answer_about_one_claim_is_an_answer_about_the_next(said: Any, claims_a: int, claims_b: int) -> None:
    for number, code in ((0, claims_a), (1, claims_b)):
        now = Claims(np.array([1]), np.array([number]), np.array([0.75], np.float32))
        (again,) = loop_draws.carried(subject(), now, Words({}, {}), [said], ())
        assert (again.code, again.concept, again.score) == (code, number, 0.75)


def test_what_people_say_now_counts_and_what_would_have_been_chosen_does_not() -> None:
    now = Claims(np.array([1, 2, 3]), np.array([0, 0, 0]), np.full(3, 0.9, np.float32))
    words = Words({(1, 0): (False, "x")}, {})
    verified = [item(1, RIGHT), item(1, RIGHT), item(2, RIGHT), item(3, None), item(4, RIGHT)]
    found = loop_draws.carried(subject(), now, words, verified, {2})
    assert [(a.item.input, a.code) for a in found] == [(1, WRONG)]


def test_the_least_sure_are_chosen_whoever_else_would_be() -> None:
    head = Head(2, True, 1, (Linear(np.array([[-4.0, 4.0]], np.float32), np.zeros(2, np.float32)),))
    vectors = np.linspace(0, 1, 40, dtype=np.float32)[:, None]
    keys = np.arange(100, 140)
    of = subject(head=head)
    plain = loop_draws.informative(of, keys, vectors, {100, 101}, 5)
    assert len(plain) == 5
    assert max(plain) < 120
    assert not {100, 101} & set(plain)
    # Those beside make room for as many others, and the order is the same.
    more = loop_draws.informative(of, keys, vectors, {100, 101}, 5, besides=plain[:3])
    assert more[:5] == plain
    assert len(set(more) - set(plain[:3])) == 5
    assert loop_draws.informative(of, keys, vectors, {100, 101}, 0) == []
    assert len(loop_draws.informative(of, keys, vectors, (), 500)) == 40
    with pytest.raises(InvalidRequest, match="no head"):
        loop_draws.informative(subject(), keys, vectors, (), 5)
