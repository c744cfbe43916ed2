"""A head: what was learned from labels, as arrays that turn embeddings into calibrated scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from labelwright.operators.arrays import Floats, pack, unpack
from labelwright.operators.head_parts import PARTS, Doubles, Part, Positives

FORMAT: Final = "head/1"
ENSEMBLE: Final = "ensemble"
_MOST_CONCEPTS: Final = 100_000
_MOST_PARTS: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A classifier on embeddings.

    Attributes:
        concepts: how many it scores.
        exclusive: one concept at most is true of a row, and the scores of a row sum to 1 or less; else each concept
            is scored by itself.
        dimensions: the length of the vectors that it takes.
        parts: one, or several that are averaged. A part has a column for each concept and, where the head is
            exclusive and has seen rows that show none of them, one more for these.
        sharpness: the power to which averaged scores are raised, since an average is less sure than it should be.
        proven: the log odds that the labels seen can support; what goes beyond is drawn in, see `drawn_in`.
        examples: the concepts that have no negatives.
        unseen: concepts without a single example: they score 0.
    """

    concepts: int
    exclusive: bool
    dimensions: int
    parts: tuple[Part, ...] = ()
    sharpness: float = 1.0
    proven: float = 20.0
    examples: Positives | None = None
    unseen: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        """ValueError where the pieces don't fit together."""
        if not 1 <= self.concepts <= _MOST_CONCEPTS or self.dimensions < 1:
            raise ValueError(f"a head of {self.concepts} concepts on {self.dimensions} dimensions is none")
        if len(self.parts) > _MOST_PARTS or not (self.parts or self.examples):
            raise ValueError(f"a head has {len(self.parts)} parts; legal is 1 to {_MOST_PARTS}")
        shapes = {part.shape() for part in self.parts}
        columns = {self.concepts, self.concepts + 1} if self.exclusive else {self.concepts}
        if len(shapes) > 1 or any(d != self.dimensions or c not in columns for d, c in shapes):
            raise ValueError(
                f"parts of shapes {sorted(shapes)} make no head of {self.concepts} concepts on "
                f"{self.dimensions} dimensions"
            )
        if not 0 < self.sharpness < 1e6:
            raise ValueError(f"sharpness is {self.sharpness}; legal is a number above 0")
        if not 0 < self.proven <= 100:
            raise ValueError(f"proven is {self.proven}; legal is a number above 0, up to 100")
        if self.examples is not None:
            self.examples.check(self.dimensions, self.concepts)
            # Nothing else would keep the sum of a row within 1.
            if self.exclusive and (self.parts or (self.examples.scale > 0).sum() > 1):
                raise ValueError("an exclusive head has one concept alone, or no concept of examples alone")
        if any(not 0 <= u < self.concepts for u in self.unseen):
            raise ValueError("a concept is called unseen that there is not")

    @property
    def kind(self) -> str:
        """Of its part: "linear", "kernel" or "neighbours"; "ensemble" for several parts that are averaged."""
        if len(self.parts) > 1:
            return ENSEMBLE
        return self.parts[0].kind if self.parts else "neighbours"

    def scores(self, vectors: Floats) -> Floats:
        """How likely each concept is.

        Args:
            vectors: float32 (n, dimensions), finite.

        Returns:
            float32 (n, concepts), each 0 to 1, calibrated; rows sum to 1 or less where the head is exclusive.

        Raises:
            ValueError: the vectors are of another shape, or not finite.
        """
        x = np.asarray(vectors, np.float32)
        if x.ndim != 2 or x.shape[1] != self.dimensions:
            raise ValueError(f"found vectors of shape {x.shape}; legal is (rows, {self.dimensions})")
        if not np.isfinite(x).all():
            raise ValueError("a vector holds what is no finite number")
        out = np.zeros((len(x), self.concepts))
        if self.parts:
            each = [likelihoods(part.logits(x), self.exclusive) for part in self.parts]
            whole = combine(each, self.sharpness, self.exclusive)
            out = drawn_in(whole, self.proven, self.exclusive)[:, : self.concepts]
        if self.examples is not None:
            self.examples.put(out, x)
        if self.unseen:
            out[:, sorted(self.unseen)] = 0
        return _within(out, self.exclusive)

    def to_bytes(self) -> bytes:
        """The head as bytes: arrays and a JSON header, the same bytes for the same head."""
        about: dict[str, Any] = {
            "format": FORMAT,
            "concepts": self.concepts,
            "exclusive": self.exclusive,
            "dimensions": self.dimensions,
            "sharpness": self.sharpness,
            "proven": self.proven,
            "unseen": sorted(self.unseen),
            "examples": self.examples is not None,
            "parts": [],
        }
        arrays: dict[str, Floats] = {}
        for i, part in enumerate(self.parts):
            settings: dict[str, Any] = {"kind": part.kind}
            for f in fields(part):
                value = getattr(part, f.name)
                if isinstance(value, np.ndarray):
                    arrays[f"{i}.{f.name}"] = value
                else:
                    settings[f.name] = value
            about["parts"].append(settings)
        if self.examples is not None:
            arrays |= {f"examples.{f.name}": getattr(self.examples, f.name) for f in fields(self.examples)}
        return pack(about, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Head:
        """The reverse of `to_bytes`; nothing in the bytes is ever run.

        Raises:
            ValueError: these are no bytes of a head, or damaged ones; the message says what is wrong with them.
        """
        about, arrays = unpack(data)
        if about.get("format") != FORMAT:
            raise ValueError(f"this is {str(about.get('format'))[:40]!r}; legal is {FORMAT!r}")
        left = dict(arrays)
        try:
            head = cls(
                concepts=_of(int, about["concepts"]),
                exclusive=_of(bool, about["exclusive"]),
                dimensions=_of(int, about["dimensions"]),
                sharpness=_of(float, about["sharpness"]),
                proven=_of(float, about["proven"]),
                unseen=frozenset(_of(int, u) for u in _of(list, about["unseen"])),
                examples=_read(Positives, {}, "examples", left) if _of(bool, about["examples"]) else None,
                parts=tuple(
                    _read(PARTS[_of(str, said["kind"])], said, str(i), left)
                    for i, said in enumerate(_of(list, about["parts"]))
                ),
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as e:
            raise ValueError(f"the header of the head can't be used: {type(e).__name__}: {e}") from e
        if left:
            raise ValueError(f"there are arrays that belong to no part: {', '.join(sorted(left))[:200]}")
        return head


def likelihoods(logits: Doubles, exclusive: bool) -> Doubles:
    """Scores of logits (n, columns): shares of 1 over a row where exclusive, else each column by itself."""
    if not exclusive:
        # Each branch where it can't overflow.
        small = np.exp(-np.abs(logits))
        return np.asarray(np.where(logits >= 0, 1 / (1 + small), small / (1 + small)))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def combine(scores: list[Doubles], sharpness: float, exclusive: bool) -> Doubles:
    """The average of several scores, made as much surer as ``sharpness`` says (1: not at all)."""
    mean = scores[0] if len(scores) == 1 else np.mean(scores, axis=0)
    if sharpness == 1:
        return np.asarray(mean)
    tiny = np.clip(mean, 1e-300, 1)
    if exclusive:
        return likelihoods(sharpness * np.log(tiny), True)
    return likelihoods(sharpness * (np.log(tiny) - np.log(np.clip(1 - mean, 1e-300, 1))), False)


def drawn_in(scores: Doubles, proven: float, exclusive: bool) -> Doubles:
    """Scores (n, columns) whose log odds go beyond ``proven`` brought nearer to it, in their order.

    So many right rows say nothing about odds of millions to one; and in single precision such scores would all be 1:
    of 6,000 MNIST images a fifth would have tied.
    """
    if exclusive:
        rows, top = np.arange(len(scores)), scores.argmax(axis=1) if len(scores) else np.empty(0, np.int64)
        first = scores[rows, top]
        others = scores.copy()
        others[rows, top] = 0
        rest = np.maximum(others.sum(axis=1), 1e-300)
        odds = np.log(np.maximum(first, 1e-300)) - np.log(rest)
        left = np.where(odds > proven, 1 / (1 + np.exp(_nearer(odds, proven))), rest)
        others *= (left / rest)[:, None]
        others[rows, top] = np.where(odds > proven, 1 - left, first)
        return np.asarray(others)
    odds = np.log(np.maximum(scores, 1e-300)) - np.log(np.maximum(1 - scores, 1e-300))
    return np.asarray(np.where(odds > proven, 1 / (1 + np.exp(-_nearer(odds, proven))), scores))


def _nearer(odds: Doubles, proven: float) -> Doubles:
    return proven + np.log1p(np.maximum(odds - proven, 0))


def _within(scores: Doubles, exclusive: bool) -> Floats:
    out = np.clip(scores, 0, 1).astype(np.float32)
    if exclusive and len(out):
        # Rounding to single precision may push a sum above 1 by some parts in ten million.
        total = out.sum(axis=1, dtype=np.float64)[:, None]
        out = np.where(total > 1, out / (np.maximum(total, 1) * (1 + 1e-7)), out).astype(np.float32)
    return out


def _read(kind: type[Any], said: Mapping[str, Any], prefix: str, left: dict[str, Floats]) -> Any:
    values: dict[str, Any] = {}
    for f in fields(kind):
        if f.type == "Floats":
            values[f.name] = left.pop(f"{prefix}.{f.name}")
        else:
            values[f.name] = _of({"int": int, "float": float, "bool": bool}[str(f.type)], said[f.name])
    return kind(**values)


def _of(kind: type[Any], value: Any) -> Any:
    """The value, if it is of its kind; a JSON number without a fraction is a float too."""
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"found {str(value)[:40]!r}; legal is {kind.__name__}")
    return value
