"""The registry of model types: what each takes, gives and is set by.

Built-in types are listed in `populate`; other packages add theirs through the entry point group
``labelwright.operators``, each entry naming a module or a function that registers.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import entry_points
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data

from labelwright.errors import ConfigurationError, ModelInvalidArgument
from labelwright.operators.values import Operator, Snapshot

ENTRY_POINTS = "labelwright.operators"

CONCEPT_FIELDS = ("concepts", "regions[...].data.concepts", "frames[...].data.concepts")
ANY = ("any",)


class Kind(Enum):
    """What a parameter may hold; the values are the API's ModelTypeFieldType numbers."""

    BOOLEAN = 1
    STRING = 2
    NUMBER = 3
    THRESHOLDS = 5
    ENUM = 8
    USER = 9
    JSON = 10


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a model type."""

    name: str
    kind: Kind
    description: str
    default: Any = None
    required: bool = False
    options: Mapping[str, int] | None = None
    """For ENUM: the legal names with their numbers; a value may be given as either."""


@dataclass(frozen=True, slots=True)
class ModelType:
    """A kind of model.

    ``make`` gets the parameters (checked, defaults filled in), the version's ``output_info.data`` and the
    app's snapshot, and returns the operator; it raises ModelInvalidArgument for what it can't work with, so
    that calling it is also the check when a model is posted. It is None for types whose versions come with
    weights or code of their own: `labelwright.models.loading` makes those.
    """

    id: str
    title: str
    description: str
    inputs: tuple[str, ...]
    """Data paths, any one of which is enough; "any" takes everything."""
    outputs: tuple[str, ...]
    params: tuple[Param, ...] = ()
    make: Callable[[Mapping[str, Any], Data, Snapshot], Operator] | None = None
    predicts: bool = False
    """Its concepts are predictions: its version is named as their origin, and low scores end here."""
    writes: bool = False
    """It drafts annotations."""
    trainable: bool = False


_types: dict[str, ModelType] = {}


def register(model_type: ModelType) -> ModelType:
    """Add a model type.

    Raises:
        ValueError: another type has this id.
    """
    if _types.get(model_type.id, model_type) is not model_type:
        raise ValueError(f"two model types are called {model_type.id!r}")
    _types[model_type.id] = model_type
    return model_type


_populated = False


def populate(plugins: list[str] | None = None) -> None:
    """Register the built-in types, those of installed packages, and those of the modules named.

    Raises:
        ConfigurationError: a package or module can't be imported, or fails when it registers.
    """
    global _populated
    if not _populated:
        for module in ("concept_mappers", "concept_threshold", "annotation_writer", "predictors"):
            importlib.import_module(f"labelwright.operators.{module}")
        for entry in entry_points(group=ENTRY_POINTS):
            with _naming(f"the entry point {entry.name!r} of {ENTRY_POINTS} ({entry.value})"):
                loaded = entry.load()
                if callable(loaded):
                    loaded()
        _populated = True
    for name in plugins or ():
        with _naming(f"the plugin {name!r}"):
            importlib.import_module(name)


@contextmanager
def _naming(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as e:
        raise ConfigurationError(f"{what} can't be used: {type(e).__name__}: {e}") from e


def get(type_id: str) -> ModelType:
    """The model type of an id.

    Raises:
        ModelInvalidArgument: there is none.
    """
    populate()
    if type_id not in _types:
        raise ModelInvalidArgument(f"there is no model type {type_id!r}; there are: {', '.join(sorted(_types))}")
    return _types[type_id]


def all_types() -> list[ModelType]:
    """Every model type, by id."""
    populate()
    return [_types[i] for i in sorted(_types)]


def check_params(model_type: ModelType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with their defaults, each one of its kind.

    Raises:
        ModelInvalidArgument: a parameter is unknown, missing, or not of its kind.
    """
    known = {p.name: p for p in model_type.params if p.kind is not Kind.THRESHOLDS}
    for name in given:
        if name not in known:
            legal = ", ".join(known) or "none"
            raise ModelInvalidArgument(f"{model_type.id} has no parameter {name!r}; its parameters are: {legal}")
    checked = {}
    for name, param in known.items():
        value = given.get(name)
        if value is None:
            if param.required:
                raise ModelInvalidArgument(f"{model_type.id} needs the parameter {name!r}: {param.description}")
            value = param.default
        else:
            value = _check(model_type, param, value)
        checked[name] = value
    return checked


def _check(model_type: ModelType, param: Param, value: Any) -> Any:
    def refuse(legal: str) -> ModelInvalidArgument:
        return ModelInvalidArgument(f"{model_type.id}: {param.name} is {value!r}; legal is {legal}")

    if param.kind is Kind.BOOLEAN:
        if not isinstance(value, bool):
            raise refuse("true or false")
    elif param.kind is Kind.NUMBER:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise refuse("a finite number")
    elif param.kind in (Kind.STRING, Kind.USER):
        if not isinstance(value, str):
            raise refuse("a text")
    elif param.kind is Kind.JSON:
        if not isinstance(value, Mapping):
            raise refuse("a JSON object")
    elif param.kind is Kind.ENUM:
        options = param.options or {}
        if isinstance(value, str) and value in options:
            return options[value]
        if not isinstance(value, bool | str) and value in options.values():
            # A Struct holds every number as a double: 3 arrives as 3.0.
            return int(value)
        raise refuse("one of " + ", ".join(f"{n} ({v})" for n, v in options.items()))
    return value
