"""What the demo has to tell of each photo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from labelwright.demo.photos import Photo


class Outcome(StrEnum):
    """What became of a photo, or of one concept on it."""

    LABELLED = "labelled"
    WAITING = "waiting for a person"
    NOTHING = "nothing seen"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """A concept that the model saw on a photo."""

    concept: str
    score: float
    """0..1."""
    threshold: float
    """From here on a score is a label."""
    outcome: Outcome
    """LABELLED or WAITING."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where the detector saw a face: fractions (0..1) of the photo's height and width."""

    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True, slots=True)
class Result:
    """A photo and what was found on it."""

    photo: Photo
    findings: tuple[Finding, ...] = ()
    failure: str = ""
    """Why it could not be labelled; empty where it could."""
    boxes: tuple[Box, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Of the whole photo: it waits for a person as soon as one concept does."""
        if self.failure:
            return Outcome.FAILED
        said = {finding.outcome for finding in self.findings}
        return next((o for o in (Outcome.WAITING, Outcome.LABELLED) if o in said), Outcome.NOTHING)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many photos, and how many concepts on them, went which way."""

    photos: int
    labelled: int
    waiting: int
    nothing: int
    failed: int
    """The last four: photos by their outcome; they add up to ``photos``."""
    labels: int
    """Concepts that were labelled."""
    questions: int
    """Concepts that wait for a person."""


def count(results: Iterable[Result]) -> Counts:
    """Count the outcomes."""
    results = list(results)
    photos = Counter(result.outcome for result in results)
    concepts = Counter(finding.outcome for result in results for finding in result.findings)
    return Counts(
        photos=len(results),
        labelled=photos[Outcome.LABELLED],
        waiting=photos[Outcome.WAITING],
        nothing=photos[Outcome.NOTHING],
        failed=photos[Outcome.FAILED],
        labels=concepts[Outcome.LABELLED],
        questions=concepts[Outcome.WAITING],
    )


HONEST = (
    "The built-in model sees one thing: faces that look towards the camera. It says nothing of anything else, "
    "and its score is not a calibrated probability."
)
