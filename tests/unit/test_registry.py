"""The registry: what is registered, how parameters are checked, and how others add to it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from labelwright.errors import ConfigurationError, ModelInvalidArgument
from labelwright.operators import registry
from labelwright.operators.registry import ANY, Kind, ModelType, Param, check_params

SNAPSHOT = Path(__file__).with_name("registry_snapshot.json")
RENEW = "python tests/unit/test_registry.py"


def public_face() -> dict[str, Any]:
    """What clients and stored models rely on: ids, paths, parameters with their kinds, defaults and options."""
    return {
        t.id: {
            "inputs": list(t.inputs),
            "outputs": list(t.outputs),
            "creatable": t.make is not None,
            "predicts": t.predicts,
            "writes": t.writes,
            "trainable": t.trainable,
            "params": {
                p.name: {
                    "kind": p.kind.name,
                    "required": p.required,
                    "default": p.default,
                    "options": dict(p.options) if p.options else None,
                }
                for p in t.params
            },
        }
        for t in registry.all_types()
    }


def test_the_registry_is_as_it_was() -> None:
    """A stored model keeps meaning the same thing: adding is fine, changing or taking away wants a second thought."""
    known = json.loads(SNAPSHOT.read_text())
    assert public_face() == known, f"if the change is meant, renew the snapshot: {RENEW}"


@pytest.mark.parametrize("model_type", registry.all_types(), ids=lambda t: t.id)
def test_a_type_says_what_it_is(model_type: ModelType) -> None:
    assert model_type.title
    assert model_type.description.endswith(".")
    assert model_type.inputs
    assert model_type.outputs
    assert len({p.name for p in model_type.params}) == len(model_type.params)
    for param in model_type.params:
        assert param.description.endswith(".")
        assert (param.kind is Kind.ENUM) == bool(param.options)
        assert not (param.required and param.default is not None)
        if param.default is not None:
            only = ModelType(id="x", title="", description="", inputs=ANY, outputs=ANY, params=(param,))
            assert check_params(only, {param.name: param.default}) == {param.name: param.default}


def test_a_type_is_found_by_its_id_and_an_unknown_one_is_refused_with_the_legal_ones() -> None:
    assert registry.get("annotation-writer").id == "annotation-writer"
    with pytest.raises(
        ModelInvalidArgument, match="no model type 'annotation-righter'; there are: annotation-writer, "
    ):
        registry.get("annotation-righter")


# --- parameters -----------------------------------------------------------------------------------

EVERY_KIND = ModelType(
    id="every-kind",
    title="",
    description="",
    inputs=ANY,
    outputs=ANY,
    params=(
        Param("flag", Kind.BOOLEAN, "A flag.", default=False),
        Param("text", Kind.STRING, "A text.", default=""),
        Param("number", Kind.NUMBER, "A number.", default=1),
        Param("choice", Kind.ENUM, "A choice.", default=2, options={"ONE": 1, "TWO": 2}),
        Param("person", Kind.USER, "A person.", default=""),
        Param("more", Kind.JSON, "More."),
        Param("concepts", Kind.THRESHOLDS, "Thresholds."),
    ),
)
DEFAULTS = {"flag": False, "text": "", "number": 1, "choice": 2, "person": "", "more": None}


def through_a_struct(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as they arrive: every number is a double."""
    struct = Struct()
    struct.update(params)
    return MessageToDict(struct)


def test_defaults_fill_in_and_a_null_counts_as_left_out() -> None:
    assert check_params(EVERY_KIND, {}) == DEFAULTS
    assert check_params(EVERY_KIND, through_a_struct(dict.fromkeys(DEFAULTS))) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("flag", True, True),
        ("text", "3", "3"),
        ("number", 3, 3.0),
        ("number", -0.5, -0.5),
        ("choice", 1, 1),
        ("choice", "ONE", 1),
        ("person", "me", "me"),
        ("more", {"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]}),
        ("more", {}, {}),
    ],
)
def test_legal_values_arrive(name: str, value: Any, expected: Any) -> None:
    assert check_params(EVERY_KIND, through_a_struct({name: value})) == {**DEFAULTS, name: expected}


def test_an_enum_given_as_a_double_becomes_an_integer() -> None:
    assert repr(check_params(EVERY_KIND, {"choice": 1.0})["choice"]) == "1"


LEGAL = {
    "flag": "legal is true or false",
    "text": "legal is a text",
    "number": "legal is a finite number",
    "choice": r"legal is one of ONE \(1\), TWO \(2\)",
    "person": "legal is a text",
    "more": "legal is a JSON object",
}


ILLEGAL: dict[str, tuple[Any, ...]] = {
    "flag": (1, 0.0, "true", "", [], {}),
    "text": (1, True, [], {}),
    "number": ("3", "", True, [], {}),
    "choice": ("1", "3.0", "one", "", 3, 1.5, True, ["ONE"], {}),
    "person": (1, True, []),
    "more": ("{}", 1, True, [], ["a"]),
}


@pytest.mark.parametrize(("name", "value"), [(name, v) for name, values in ILLEGAL.items() for v in values])
def test_another_value_is_refused_with_what_is_legal(name: str, value: Any) -> None:
    with pytest.raises(ModelInvalidArgument, match=f"every-kind: {name} is .*; {LEGAL[name]}"):
        check_params(EVERY_KIND, through_a_struct({name: value}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_is_finite(value: float) -> None:
    with pytest.raises(ModelInvalidArgument, match="legal is a finite number"):
        check_params(EVERY_KIND, {"number": value})


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ModelInvalidArgument, match="no parameter 'flags'; its parameters are: flag, text, number, choi"
    ):
        check_params(EVERY_KIND, {"flags": True})
    none = ModelType(id="bare", title="", description="", inputs=ANY, outputs=ANY)
    with pytest.raises(ModelInvalidArgument, match="bare has no parameter 'x'; its parameters are: none"):
        check_params(none, {"x": 1})


def test_thresholds_are_no_parameter_but_concepts_of_the_data() -> None:
    with pytest.raises(ModelInvalidArgument, match="no parameter 'concepts'"):
        check_params(EVERY_KIND, {"concepts": []})


# --- adding types ---------------------------------------------------------------------------------


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that forgets what the test adds."""
    registry.populate()
    monkeypatch.setattr(registry, "_types", dict(registry._types))


def _type(id: str) -> ModelType:
    return ModelType(id=id, title="", description="", inputs=ANY, outputs=ANY)


@pytest.mark.usefixtures("own_registry")
def test_two_types_of_one_id_are_refused_and_the_same_twice_is_fine() -> None:
    added = registry.register(_type("mine"))
    assert registry.register(added) is added
    with pytest.raises(ValueError, match="two model types are called 'mine'"):
        registry.register(_type("mine"))
    with pytest.raises(ValueError, match="'annotation-writer'"):
        registry.register(_type("annotation-writer"))


@pytest.mark.usefixtures("own_registry")
def test_a_module_named_in_the_settings_adds_its_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugin_that_adds.py").write_text(
        "from labelwright.operators.registry import ANY, ModelType, register\n"
        "register(ModelType(id='from-a-plugin', title='', description='', inputs=ANY, outputs=ANY))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.populate(["plugin_that_adds"])
    registry.populate(["plugin_that_adds"])
    assert registry.get("from-a-plugin").id in {t.id for t in registry.all_types()}


@pytest.mark.parametrize(
    ("code", "says_what"),
    [
        (None, "the plugin 'plugin_in_doubt' can't be used: ModuleNotFoundError"),
        ("1 / 0", "the plugin 'plugin_in_doubt' can't be used: ZeroDivisionError"),
        (
            "from labelwright.operators.registry import ANY, ModelType, register\n"
            "register(ModelType(id='annotation-writer', title='', description='', inputs=ANY, outputs=ANY))\n",
            "two model types are called 'annotation-writer'",
        ),
    ],
    ids=["absent", "broken", "takes a name that is taken"],
)
@pytest.mark.usefixtures("own_registry")
def test_a_plugin_that_fails_is_named(
    code: str | None, says_what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    if code is not None:
        (tmp_path / "plugin_in_doubt.py").write_text(code)
    with pytest.raises(ConfigurationError, match=says_what):
        registry.populate(["plugin_in_doubt"])


def add_one() -> None:
    """What an entry point may name."""
    registry.register(ENTRY)


ENTRY = _type("from-an-entry-point")


def _entry_points(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    found = [EntryPoint(f"entry-{i}", value, registry.ENTRY_POINTS) for i, value in enumerate(values)]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: found if group == registry.ENTRY_POINTS else [])
    monkeypatch.setattr(registry, "_populated", False)


@pytest.mark.usefixtures("own_registry")
def test_entry_points_name_functions_that_register_or_modules_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    _entry_points(monkeypatch, f"{__name__}:add_one", "labelwright.operators.predictors")
    assert registry.get("from-an-entry-point") is ENTRY


@pytest.mark.usefixtures("own_registry")
def test_an_entry_point_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _entry_points(monkeypatch, "no_such_package.operators:add")
    with pytest.raises(ConfigurationError, match=r"entry point 'entry-0' of labelwright.operators \(no_such_package"):
        registry.populate()


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(public_face(), indent=2) + "\n")
    sys.stdout.write(f"{SNAPSHOT} is as the registry is now\n")
