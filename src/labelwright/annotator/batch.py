"""Running a plan over inputs: taking them in a few at a time, and gathering what was made of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import Data
from sqlalchemy import Row

from labelwright import metrics
from labelwright.annotator.commit import Drafted, Flowed, Made
from labelwright.annotator.intake import Intake, Item
from labelwright.workflows.engine import Plan, run
from labelwright.workflows.flows import flows

IMAGES_AT_ONCE = 16
"""Images whose pixels are in memory at the same time: 16 of 1024 × 768 are some 40 MB."""


def make(
    plan: Plan,
    app: int,
    rows: Sequence[Row[Any]],
    intake: Intake,
    stop: Callable[[], bool] = lambda: False,
) -> dict[int, Made] | None:
    """What the plan makes of inputs (rows with pk, id, wire, media); None where ``stop`` said so half-way."""
    metrics.batch(len(rows))
    made: dict[int, Made] = {}
    parsed = [(row, Data.FromString(row.wire)) for row in rows]
    # Texts that are here already go together; what is fetched, a few at a time.
    light = [(row, data) for row, data in parsed if data.text.raw]
    heavy = [(row, data) for row, data in parsed if not data.text.raw]
    chunks = [light] if light else []
    chunks += [heavy[i : i + IMAGES_AT_ONCE] for i in range(0, len(heavy), IMAGES_AT_ONCE)]
    for chunk in chunks:
        if stop():
            return None
        items = [
            # The key of a fetched file follows from the input's, so that a second try writes over the first.
            Item(row.id, data, media=row.media, keep_as=f"{app}/u{row.pk}")
            for row, data in chunk
        ]
        made.update(_make(plan, [row.pk for row, _ in chunk], items, intake))
    return made


def _make(plan: Plan, pks: Sequence[int], items: Sequence[Item], intake: Intake) -> Mapping[int, Made]:
    taken = intake.take(items)
    laps = metrics.Laps()
    done = run(plan, taken.source)
    laps.lap("workflow")
    flowed = Flowed([pks[i] for i in taken.rows], flows(plan, done))
    made = {pk: Made(flowed=flowed) for pk in pks}
    for i, error in taken.failed.items():
        made[pks[i]].error = error
    for i, key in taken.kept.items():
        made[pks[i]].media = key
    for node in plan.nodes:
        result = done.nodes[node.id]
        for row, vector in result.vectors.items():
            made[pks[taken.rows[row]]].vectors[node.model.version_id] = vector
        for row, drafts in result.drafts.items():
            by = plan.predicted_by.get(node.id, "")
            made[pks[taken.rows[row]]].drafts.extend(Drafted(draft, by, node.id) for draft in drafts)
    for row, error in done.failed.items():
        failed = made[pks[taken.rows[row]]]
        # Nothing of an input counts when a node failed on it: half a set of labels looks like a whole one.
        failed.error, failed.drafts, failed.vectors = error, [], {}
    return made
