"""Writing what a run made of a batch: labels, embeddings, journal, final statuses, in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from clarifai_grpc.grpc.api.resources_pb2 import Data
from sqlalchemy import Connection, Row

from labelwright.annotator.labels import Label, take_apart
from labelwright.annotator.precedence import Said, allowed, said
from labelwright.errors import LabelwrightError
from labelwright.operators.values import Draft, Vectors
from labelwright.store import annotations as annotation_rows
from labelwright.store import concepts, labels, node_flows, queue, runs
from labelwright.store import tables as t
from labelwright.store.annotations import NewAnnotation, NewConcept
from labelwright.workflows.engine import Plan
from labelwright.workflows.flows import NodeFlow


class Drafted(NamedTuple):
    """A draft, and where it comes from."""

    draft: Draft
    model_version: str
    """The version of the model that predicted it; "" for none."""
    node: str = ""
    """The writer's id in the workflow."""


@dataclass(frozen=True, slots=True)
class Flowed:
    """What went through the workflow of inputs that ran together."""

    pks: Sequence[int]
    """The inputs' keys, in the order of the run's source."""
    nodes: Mapping[str, NodeFlow]


@dataclass(slots=True)
class Made:
    """What the workflow made of one input."""

    drafts: list[Drafted] = field(default_factory=list)
    vectors: dict[str, Vectors] = field(default_factory=dict)
    """Embeddings, by the embedder's version."""
    error: LabelwrightError | None = None
    media: str | None = None
    """The key under which fetched media was kept."""
    flowed: Flowed | None = None
    """What went through the nodes, of this and the inputs that ran with it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a commit did."""

    wrote: int
    replaced: int
    gone: tuple[int, ...] = ()
    """Inputs that were deleted while this worker was at them; one that another worker took over is not among
    them, since its media lies under the same key."""
    labelled: int = 0
    failed: int = 0


def commit_batch(
    conn: Connection,
    app: Row[Any],
    claim: queue.Claim,
    plan: Plan,
    made: Mapping[int, Made],
    parts: Sequence[Part] | None = None,
) -> Written:
    """Write a claimed batch. Inputs that the lease no longer holds are left out.

    Args:
        app: its row, held (`apps.hold`).
        made: input key to what was made of it, for every input of the claim.
        parts: the drafts taken apart, where that has been done before others were made to wait.
    """
    # App, concepts, inputs: the order in which people's calls lock them, so that nobody waits in a circle.
    if parts is None:
        parts = take_drafts_apart(made)
    known = _concepts(conn, app, parts)
    held = queue.still_held(conn, claim.lease)
    good = {pk: m for pk, m in made.items() if pk in held and m.error is None}
    run = runs.ingest(conn, app.pk, plan.workflow_version_id) if any(m.drafts for m in good.values()) else None
    wrote, replaced = write_labels(conn, app, plan, good, run, (parts, known), replace=False)
    if run is not None:
        runs.count(conn, run, inputs=len(good), wrote=wrote.total(), replaced=replaced)
    count_flows(conn, app, plan, good, wrote)
    failed = {
        pk: (m.error.code, m.error.details or m.error.description, m.media)
        for pk, m in made.items()
        if m.error is not None and pk in held
    }
    queue.finish(
        conn,
        claim.lease,
        done={pk: m.media for pk, m in good.items()},
        failed=failed,
        workflow_version_id=plan.workflow_version_id,
    )
    lost = [pk for pk in made if pk not in held]
    there = queue.states(conn, lost) if lost else {}
    gone = tuple(pk for pk in lost if pk not in there)
    return Written(wrote.total(), replaced, gone, labelled=len(good), failed=len(failed))


def write_labels(
    conn: Connection,
    app: Row[Any],
    plan: Plan,
    made: Mapping[int, Made],
    run: int | None,
    prepared: tuple[Sequence[Part], Mapping[str, int]] | None = None,
    *,
    replace: bool,
) -> tuple[Counter[str], int]:
    """Write drafts and embeddings of inputs.

    Returns:
        How many annotations were written, by the id of the writing node; and how many were replaced.

    Args:
        prepared: the drafts taken apart, and the keys of their concepts, where that has been done already.
        replace: what workflows wrote before on these inputs, and no person touched, goes into the journal.
    """
    pks = list(made)
    words, old = standing(conn, pks)
    if not replace:
        old = []
    elif old:
        before = labels.concepts_of(conn, [row.pk for row in old])
        if run is not None:
            frozen = [(row.input, labels.freeze(row, before.get(row.pk, []))) for row in old]
            runs.write_journal(conn, run, frozen)
        labels.remove(conn, [row.pk for row in old])
    if prepared is None:
        parts = take_drafts_apart(made)
        prepared = parts, _concepts(conn, app, parts)
    rows, writers = _rows(plan, made, run, words, *prepared)
    annotation_rows.add(conn, app.pk, rows)
    labels.put_embeddings(
        conn, [(pk, version, vector) for pk, m in made.items() for version, vector in m.vectors.items()]
    )
    return Counter(writers), len(old)


def count_flows(
    conn: Connection, app: Row[Any], plan: Plan, good: Mapping[int, Made], wrote: Mapping[str, int]
) -> None:
    """Add what went through the workflow's nodes of these inputs, and what was written of their drafts."""
    together: dict[int, tuple[Flowed, list[int]]] = {}
    for pk, m in good.items():
        if m.flowed is not None:
            together.setdefault(id(m.flowed), (m.flowed, []))[1].append(pk)
    total: dict[str, list[int]] = {}
    for flowed, pks in together.values():
        here = set(pks)
        # All of them nearly always: what failed, or was lost to another worker, is left out.
        rows = None if len(pks) == len(flowed.pks) else {row for row, pk in enumerate(flowed.pks) if pk in here}
        for node, flow in flowed.nodes.items():
            numbers = flow.through(rows)
            total[node] = [a + b for a, b in zip(total.get(node, (0,) * len(numbers)), numbers, strict=True)]
    flows = {node: node_flows.Flow._make([*numbers, wrote.get(node, 0)]) for node, numbers in total.items()}
    node_flows.add(conn, app.pk, plan.workflow_version_id, flows)


def standing(conn: Connection, pks: Sequence[int]) -> tuple[dict[int, list[Said]], list[Row[Any]]]:
    """What people have said of these inputs, and the annotations that only workflows wrote."""
    rows = labels.of_inputs(conn, pks)
    automatic = [r for r in rows if r.origin == t.MODEL and not r.touched and r.run is not None]
    ours = {r.pk for r in automatic}
    by_people = [r for r in rows if r.pk not in ours]
    spoken = labels.concepts_of(conn, [r.pk for r in by_people])
    words: dict[int, list[Said]] = defaultdict(list)
    for row in by_people:
        concepts_here = [(c.slot, c.concept_id) for c in spoken.get(row.pk, [])]
        words[row.input].extend(said(Data.FromString(row.wire), concepts_here))
    for rejection in labels.rejections_of(conn, pks):
        place = [(rejection.slot, rejection.concept_id)]
        words[rejection.input].extend(said(Data.FromString(rejection.wire), place))
    return words, automatic


class Part(NamedTuple):
    """A draft in the form in which it is stored."""

    input: int
    draft: Draft
    model_version: str
    node: str
    wire: bytes
    labels: list[Label]


def take_drafts_apart(made: Mapping[int, Made]) -> list[Part]:
    """Every draft in the form in which it is stored."""
    return [
        Part(pk, draft, model_version, node, *take_apart(draft.data))
        for pk, m in made.items()
        for draft, model_version, node in m.drafts
    ]


def _concepts(conn: Connection, app: Row[Any], parts: Sequence[Part]) -> dict[str, int]:
    """The keys of all concepts in the drafts; new ones are made."""
    names = {label.concept_id: label.name for part in parts for label in part.labels}
    return concepts.ensure(conn, app.pk, names) if names else {}


def _rows(
    plan: Plan,
    made: Mapping[int, Made],
    run: int | None,
    words: Mapping[int, Sequence[Said]],
    parts: Sequence[Part],
    key: Mapping[str, int],
) -> tuple[list[NewAnnotation], list[str]]:
    rows, writers = [], []
    for pk, draft, model_version, node, wire, found in parts:
        if pk not in made:
            continue
        if spoken := words.get(pk):
            data = allowed(draft.data, spoken)
            if data is None:
                continue
            wire, found = take_apart(data)
        writers.append(node)
        rows.append(
            NewAnnotation(
                input=pk,
                user_id=draft.user_id,
                status_code=draft.status_code,
                origin=t.MODEL,
                wire=wire,
                concepts=[NewConcept(key[f.concept_id], f.value, f.value, f.slot) for f in found],
                model_version_id=model_version,
                workflow_version_id=plan.workflow_version_id,
                run=run,
                annotation_info=draft.annotation_info,
            )
        )
    return rows, writers
