"""Scopes, what they bring along, what rights hold and give away, and how calls are counted."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.auth.scope import scope_pb2
from hypothesis import given
from hypothesis import strategies as st

from labelwright.errors import InsufficientScopes, InvalidRequest, Throttled
from labelwright.protocol import grants
from labelwright.protocol.auth import Caller, Rate, Rights
from labelwright.protocol.methods import by_path, methods
from labelwright.protocol.scopes import ALL, closed, depending, endpoint, exposed, in_order, named, usable

NAMES = sorted(depending())
PATHS = sorted(by_path())

names = st.frozensets(st.sampled_from(NAMES), max_size=8)
some = st.frozensets(st.sampled_from([n for n in NAMES if n != ALL]), max_size=8)
paths = st.frozensets(st.sampled_from(PATHS), max_size=4)
rights = st.builds(Rights, names.map(closed), paths)
a_method = st.sampled_from(sorted(methods())).map(lambda name: methods()[name])


# --- the scopes -----------------------------------------------------------------------------------


def test_they_are_those_of_the_enum() -> None:
    assert set(NAMES) == set(scope_pb2.S.keys()) - {"undef"}
    assert ALL in exposed()
    assert "Concepts_Delete" not in exposed()
    assert depending()["Inputs_Delete"] == {"Inputs_Add", "Inputs_Get"}


@given(names)
def test_closing_adds_what_is_needed_and_nothing_twice(given_: frozenset[str]) -> None:
    done = closed(given_)
    assert closed(done) == done
    if ALL in given_:
        assert done == {ALL}
    else:
        assert given_ <= done
        assert all(depending()[name] <= done for name in done)
        assert all(any(name in closed([g]) for g in given_) for name in done)


@given(some, some)
def test_closing_goes_with_union_and_order(one: frozenset[str], other: frozenset[str]) -> None:
    assert closed(one | other) == closed(one) | closed(other)
    if one <= other:
        assert closed(one) <= closed(other)


@given(st.sampled_from(NAMES), st.sampled_from(["_", ":", ".", " ", ""]), st.sampled_from([str, str.lower, str.upper]))
def test_a_scope_has_one_name_however_it_is_written(name: str, between: str, case: Any) -> None:
    assert named(case(name.replace("_", between))) == name


@pytest.mark.parametrize("wrong", ["", "undef", "Inputs_Gett", "Input_Get", "Everything", "Inputs_Get,Predict"])
def test_a_scope_that_is_not_there_is_told_with_near_ones(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="no scope") as raised:
        named(wrong)
    assert "All" in raised.value.details
    if wrong.startswith("Input"):
        assert "did you mean" in raised.value.details
        assert "Inputs_Get" in raised.value.details


@given(st.lists(st.sampled_from(NAMES)))
def test_they_are_told_in_the_order_of_their_numbers(given_: list[str]) -> None:
    told = in_order(given_)
    assert sorted(told) == sorted(set(given_))
    numbers = [scope_pb2.S.Value(n) for n in told]
    in_enum = [v.number for v in scope_pb2.DESCRIPTOR.enum_types_by_name["S"].values]
    assert sorted(numbers, key=in_enum.index) == numbers


@pytest.mark.parametrize("text", ["GetInput", "/clarifai.api.V2/GetInput", "clarifai.api.V2/GetInput"])
def test_an_endpoint_is_named_by_its_path_or_its_rpc(text: str) -> None:
    assert endpoint(text) == "/clarifai.api.V2/GetInput"


@pytest.mark.parametrize(("text", "says"), [("GetInputt", "GetInput"), ("", "no endpoint"), ("ListStatusCodes", "any")])
def test_an_endpoint_that_is_none_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        endpoint(text)


def test_a_key_of_one_app_can_be_given_less() -> None:
    personal, personal_calls = usable(personal=True)
    bound, bound_calls = usable(personal=False)
    assert set(bound) < set(personal) == set(exposed())
    assert {m.name for m in personal_calls} - {m.name for m in bound_calls} >= {"PostKeys", "PostApps", "ListScopes"}
    assert {"Apps_Add", "Keys_Delete"}.isdisjoint(bound)
    assert {ALL, "Inputs_Add", "Predict"} <= set(bound)
    # Whatever an app-bound key can call, it can be given the scopes for.
    for method in bound_calls:
        assert method.scopes & set(exposed()) <= set(bound), method.name


# --- rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(n for n, m in methods().items() if m.scopes))
def test_a_method_needs_each_scope_that_its_options_list(name: str) -> None:
    method = methods()[name]
    assert not Rights(method.scopes).missing(method)
    assert not Rights(frozenset((ALL,))).missing(method)
    assert not Rights(frozenset(), frozenset((method.path,))).missing(method)
    for scope in method.scopes:
        less = Rights(method.scopes - {scope})
        assert less.missing(method) == {scope}
        with pytest.raises(InsufficientScopes, match=scope):
            less.check(method, "this key")


@given(rights, rights, a_method)
def test_what_both_allow_is_what_each_of_them_allows(one: Rights, other: Rights, method: Any) -> None:
    both = one.within(other)
    assert (not both.missing(method)) == (not one.missing(method) and not other.missing(method))


@given(rights, rights, a_method)
def test_who_lacks_nothing_of_others_can_do_all_that_they_can(one: Rights, other: Rights, method: Any) -> None:
    if not one.beyond(other) and not other.missing(method):
        assert not one.missing(method)
    assert not one.beyond(one)
    assert not one.beyond(one.within(other))
    assert not Rights(frozenset((ALL,))).beyond(one)


@given(rights, rights, rights)
def test_nobody_gives_what_they_lack(giver: Rights, old: Rights, new: Rights) -> None:
    beyond = giver.beyond(new)
    if beyond:
        with pytest.raises(InsufficientScopes) as refused:
            grants.check_given(new, giver)
        assert all(name in refused.value.details for name in beyond)
    else:
        grants.check_given(new, giver)
    # What was there already is no gift, whoever gives.
    grants.check_given(old, giver, old)
    grants.check_given(giver, giver, old)


def test_every_single_scope_is_not_all_of_them() -> None:
    every = Rights(frozenset(NAMES) - {ALL})
    assert every.beyond(Rights(frozenset((ALL,)))) == [ALL]


def test_a_scope_of_a_later_release_in_the_store_does_no_harm() -> None:
    later = Rights(frozenset(("Inputs_Get", "Later_Get")), frozenset(("/clarifai.api.V2/Later",)))
    assert Rights(frozenset(("Inputs_Get",))).beyond(later) == ["Later_Get", "/clarifai.api.V2/Later"]
    assert later.within(Rights(frozenset(("Inputs_Get",)))) == Rights(frozenset(("Inputs_Get",)))


def test_rights_are_asked_for_by_name_and_come_with_what_they_need() -> None:
    assert grants.asked(["inputs:delete"], ["GetModel"]) == Rights(
        frozenset(("Inputs_Add", "Inputs_Delete", "Inputs_Get")), frozenset(("/clarifai.api.V2/GetModel",))
    )
    with pytest.raises(InvalidRequest, match="neither"):
        grants.asked([], [])
    with pytest.raises(InvalidRequest, match="PostApps"):
        grants.check_for_app(grants.asked([], ["PostApps", "GetInput"]))


@pytest.mark.parametrize(
    ("ends", "maker", "old", "legal"),
    [
        (None, None, 0, True),
        (5, None, 0, True),
        (5, 5, 0, True),
        (6, 5, 0, False),
        (None, 5, 0, False),
        # Changing one that lasts longer already makes it no longer.
        (9, 5, 9, True),
        (10, 5, 9, False),
        (None, 5, None, True),
        (7, 5, None, True),
        (None, 5, 9, False),
    ],
)
def test_no_key_outlives_its_maker(ends: int | None, maker: int | None, old: int | None, legal: bool) -> None:
    caller = Caller("u", Rights(frozenset((ALL,))), "k", expires_at=maker)
    if legal:
        grants.check_end(ends, caller, old)
    else:
        with pytest.raises(InsufficientScopes, match="outlive"):
            grants.check_end(ends, caller, old)


# --- the rate -------------------------------------------------------------------------------------


class Clock:
    """A time that stands still until it is told to move."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def allowed(rate: Rate, key: str, tries: int) -> int:
    """How many calls are let through of so many."""
    through = 0
    for _ in range(tries):
        try:
            rate.count(key)
        except Throttled:
            continue
        through += 1
    return through


def test_a_key_makes_its_calls_a_minute_and_others_make_theirs() -> None:
    clock = Clock()
    rate = Rate(6, clock)
    assert allowed(rate, "a", 10) == 6
    assert allowed(rate, "b", 10) == 6
    clock.now += 10
    assert allowed(rate, "a", 10) == 1
    clock.now += 5
    assert allowed(rate, "a", 1) == 0
    clock.now += 5
    assert allowed(rate, "a", 10) == 1
    # However long it is not used, it saves up a minute's worth.
    clock.now += 3600
    assert allowed(rate, "a", 10) == 6


def test_who_is_throttled_is_told_for_how_long() -> None:
    rate = Rate(2, Clock())
    assert allowed(rate, "a", 2) == 2
    with pytest.raises(Throttled, match=r"2 calls a minute.*wait 30 s"):
        rate.count("a")


def test_calls_that_are_refused_cost_nothing() -> None:
    clock = Clock()
    rate = Rate(60, clock)
    assert allowed(rate, "a", 1000) == 60
    clock.now += 1
    assert allowed(rate, "a", 1000) == 1


def test_no_limit_is_none() -> None:
    assert allowed(Rate(0, Clock()), "a", 1000) == 1000


@pytest.mark.parametrize("find", [named, endpoint])
def test_of_a_long_name_only_the_beginning_is_looked_at(find: Any) -> None:
    with pytest.raises(InvalidRequest) as e:
        find("Inputs_Gett" + "x" * 1_000_000)
    assert len(e.value.details) < 500
