"""What a training is asked to do: its parameters as clients send them, checked, and as the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from labelwright.errors import LabelwrightError, TrainingInvalidParams
from labelwright.operators.registry import Kind, ModelType, Param, check_params

KINDS = ("linear", "kernel", "neighbours")
"""The kinds of heads."""

_SEED = Param("seed", Kind.NUMBER, "The same labels and the same seed give the same model; 0 to 4294967295.", 0)
_ERROR = Param(
    "error",
    Kind.NUMBER,
    "Heads are compared by how many inputs they could label at this share of mistakes; above 0 and below 0.5.",
    0.01,
)
_CLOSED = Param(
    "closed_environment",
    Kind.BOOLEAN,
    "Whether only labels that say no count against a concept. Else inputs that are labelled with other concepts do "
    "too, for concepts that nobody said no to.",
    False,
)
_HEAD = Param(
    "head",
    Kind.ENUM,
    "Which kind of head to train; auto compares all.",
    "auto",
    options={"auto": 0, **{kind: i for i, kind in enumerate(KINDS, 1)}},
)

_CLUSTERS = Param("clusters", Kind.NUMBER, "How many, at most; 0: the square root of the number of inputs.", 0)

_VERIFIED = Param(
    "train_on_verified",
    Kind.BOOLEAN,
    "Whether it learns from inputs too that were drawn at random to be verified. They are no evidence about its "
    "thresholds then.",
    False,
)
_PEOPLE = Param("people_only", Kind.BOOLEAN, "Whether only what people said trains, and no auto-label.", False)

TRAIN_PARAMS: dict[str, tuple[Param, ...]] = {
    "embedding-classifier": (_ERROR, _SEED, _CLOSED, _VERIFIED, _PEOPLE, _HEAD),
    "knn-concept": (_ERROR, _SEED, _CLOSED, _VERIFIED, _PEOPLE),
    "clusterer": (_SEED, _CLUSTERS),
}
"""By model type, what ``train_info.params`` may say; the types are those that can be trained."""

EXCLUSIVE = "concepts_mutually_exclusive"

_MAX_SEED = 2**32 - 1
_MAX_CLUSTERS = 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What a version is to learn, and how."""

    concepts: tuple[str, ...] = ()
    """Ids, in order; none: all that the app has labels of when the training begins."""
    exclusive: bool = False
    closed: bool = False
    train_on_verified: bool = False
    """With inputs that were drawn to be verified."""
    people_only: bool = False
    """Without auto-labels."""
    error: float = 0.01
    kinds: tuple[str, ...] = KINDS
    seed: int = 0
    clusters: int = 0
    """How many a clusterer looks for, at most; 0: by the number of inputs."""
    timeout: int = 0
    """Seconds; 0: none."""
    embedder: int = 0
    """The key of the version of the embedder; 0: the default workflow's."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What the log is to say besides."""

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Asked:
        """The inverse of `to_json`; what else is there is passed over."""
        known: dict[str, Any] = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        plain: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in known.items()}
        return cls(**plain)


def checked(model_type: ModelType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The training parameters with their defaults.

    Raises:
        TrainingInvalidParams: one is unknown or not legal; says which are.
    """
    wanted = TRAIN_PARAMS[model_type.id]
    # The SDK sends these two with every training, empty where no dataset is meant.
    plain = {k: v for k, v in given.items() if not (k in ("dataset_id", "dataset_version_id") and not v)}
    if dataset := plain.get("dataset_id") or plain.get("dataset_version_id"):
        raise TrainingInvalidParams(datasets_not_served(str(dataset)))
    shape = ModelType(f"{model_type.id}, train_info.params", "", "", (), (), wanted)
    try:
        out = check_params(shape, plain)
    except LabelwrightError as e:
        raise TrainingInvalidParams(e.details) from None
    error, seed, clusters = out.get("error", 0.01), out["seed"], out.get("clusters", 0)
    if clusters != int(clusters) or not 0 <= clusters <= _MAX_CLUSTERS:
        raise TrainingInvalidParams(
            f"train_info.params.clusters is {clusters!r}; legal is a whole number from 0 to {_MAX_CLUSTERS}"
        )
    if not 0 < error < 0.5:
        raise TrainingInvalidParams(f"train_info.params.error is {error:g}; legal is above 0 and below 0.5")
    if seed != int(seed) or not 0 <= seed <= _MAX_SEED:
        raise TrainingInvalidParams(
            f"train_info.params.seed is {seed!r}; legal is a whole number from 0 to {_MAX_SEED}"
        )
    head = out.get("head")
    # The default stands as its name, what was given as its number.
    chosen = KINDS if head in (None, 0, "auto") else (KINDS[int(head) - 1],)
    return {
        "error": float(error),
        "seed": int(seed),
        "clusters": int(clusters),
        "closed": bool(out.get("closed_environment", False)),
        "train_on_verified": bool(out.get("train_on_verified", False)),
        "people_only": bool(out.get("people_only", False)),
        "kinds": ("neighbours",) if model_type.id == "knn-concept" else chosen,
    }


def datasets_not_served(named: str) -> str:
    """What to say to who wants to train on a dataset."""
    return (
        f"dataset {named!r}: this server has no datasets yet; leave train_info.dataset and dataset_id out to train on "
        "all labels of the app"
    )
