"""Tuning the thresholds of an app: drawing what is to be verified, choosing, putting to work, taking back.

A tuning makes new versions of both thresholders and of the default workflow in one transaction, and a row that says
what it made and what there was before. Looks that make nothing are kept too: each of them spends its part of the risk.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from clarifai_grpc.grpc.api.resources_pb2 import WorkflowVersion
from sqlalchemy import Connection, Row

from labelwright.errors import DoesNotExist, InvalidRequest, ModelDoesNotExist, Overloaded
from labelwright.media.blobs import BlobStore
from labelwright.store import apps, draws, models, tunings, workflows
from labelwright.store.engine import Store
from labelwright.training import claims as claimed
from labelwright.training import evidence, route
from labelwright.training.claims import Subject
from labelwright.training.evidence import Evidence
from labelwright.training.route import Route
from labelwright.training.tuning import NEVER, Decision, Target, decide, fingerprint

MOST_DRAWN = 100_000
"""Items of one draw."""

WRITTEN = 1000
"""Items that a transaction writes: 100,000 in one would keep every other writer waiting for seconds."""

ERRORS = 1e-6, 0.5
CONFIDENCES = 0.5, 0.999999
"""What a target may be. A look spends a share of 1 - confidence, by the square of its number and by concept: from
0.999999 on a thousand looks at a thousand concepts stay clear of 1e-16, below which that is lost beside 1."""

DATA, HAND = "data", "hand"
"""What a tuning's thresholds were chosen by."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of a draw."""

    id: str
    model_version_id: str
    items: int
    pool: int
    """How many claims there were to draw from."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of a tuning."""

    id: str
    subject: Subject
    decision: Decision
    evidence: Evidence
    made: Mapping[str, Any] | None
    """None: nothing was made."""


def draw(
    store: Store,
    blobs: BlobStore,
    app: Row[Any],
    model_id: str,
    *,
    n: int,
    user_id: str,
    version_id: str = "",
    version: Row[Any] | None = None,
    seed: int | None = None,
) -> Drawn:
    """Draw claims at random from those that are still to be decided, for people to verify.

    All of them are equally likely, whatever their scores, and none is drawn twice for the same version.

    Args:
        n: how many; where there are fewer, all.
        version_id: of the model; "" for its newest that is trained.
        version: itself, as a `Route` has it, in place of the two: the model may be any app's.
        seed: None for one that nobody knows.

    Raises:
        InvalidRequest: n is not legal, or there is nothing to draw from.
        DoesNotExist: the app is gone.
        ModelDoesNotExist, ModelUntrained: see `claims.subject`.
    """
    if not 1 <= n <= MOST_DRAWN:
        raise InvalidRequest(f"{n} items are to be drawn; 1 to {MOST_DRAWN} are legal")
    seed = secrets.randbits(63) if seed is None else seed
    with store.read() as conn:
        of = _subject(conn, blobs, _there(conn, app), model_id, version_id, version)
        everything = claimed.claims(conn, of)
        pool = claimed.open_ones(conn, of, claimed.words(conn, of), everything)
        before = draws.drawn(conn, app.pk, of.version.id, draws.VERIFY)
        taken = {(i.input, of.number[i.concept_id]) for i in before if i.concept_id in of.number}
        pairs = zip(pool.inputs.tolist(), pool.concepts.tolist(), strict=True)
        pool = pool.those(np.fromiter((pair not in taken for pair in pairs), bool, len(pool)))
    if not len(pool):
        raise InvalidRequest(
            f"model {model_id!r} claims nothing that is still to be decided: {len(everything)} claims in all, "
            f"{len(taken)} drawn before; the others are decided by people, or about inputs that it was trained on"
        )
    chosen = random.Random(seed).sample(range(len(pool)), min(n, len(pool)))
    chance = len(chosen) / len(pool)
    items = [
        draws.NewItem(int(pool.inputs[i]), of.concepts[pool.concepts[i]], of.version.id, float(pool.scores[i]), chance)
        for i in chosen
    ]
    params = {"n": n, "seed": seed, "of": len(pool), "model_id": model_id, "exclusive": of.exclusive}
    with store.write() as conn:
        _hold(conn, app)
        made = draws.draw(
            conn, app.pk, draws.VERIFY, items[:WRITTEN], user_id=user_id, params=params, model_version_id=of.version.id
        )
    # Where one of these fails, what is drawn is a random sample too: the first that chance chose.
    for start in range(WRITTEN, len(items), WRITTEN):
        with store.write() as conn:
            _hold(conn, app)
            draws.add(conn, app.pk, made.pk, items[start : start + WRITTEN])
    return Drawn(made.id, of.version.id, len(items), len(pool))


def tune(
    store: Store,
    blobs: BlobStore,
    app: Row[Any],
    model_id: str,
    target: Target,
    *,
    user_id: str,
    version_id: str = "",
    version: Row[Any] | None = None,
    dry_run: bool = False,
) -> Tuned:
    """Choose the thresholds of a model version from what was verified of its claims, and put them to work.

    Nothing is made on a dry run, nor where the answers support no threshold at all. The version that was tuned runs
    in the workflow from then on, in the place of the one there.

    Args:
        version_id: of the model; "" for its newest that is trained.
        version: itself, as a `Route` has it, in place of the two: the model may be any app's.

    Raises:
        DoesNotExist: the app is gone.
        InvalidRequest: error or confidence is not legal; nothing was drawn; or, but for a dry run, the default
            workflow has no pair of thresholders behind the model that can get new versions.
        Overloaded: somebody else tuned or changed the workflow meanwhile.
        ModelDoesNotExist, ModelUntrained: see `claims.subject`.
    """
    check_target(target)
    with store.read() as conn:
        of = _subject(conn, blobs, _there(conn, app), model_id, version_id, version)
        elsewhere = evidence.elsewhere(conn, of, claimed.words(conn, of))
    for start in range(0, len(elsewhere), WRITTEN):
        with store.write() as conn:
            _hold(conn, app)
            draws.answer_elsewhere(conn, elsewhere[start : start + WRITTEN])
    with store.read() as conn:
        of = _subject(conn, blobs, _there(conn, app), model_id, version=of.version)
        if not dry_run:
            can_change(app, of.route, model_id)
        said = claimed.words(conn, of)
        everything = claimed.claims(conn, of)
        known = evidence.gather(conn, of, said, everything)
        if not draws.listing(conn, app.pk, model_version_id=of.version.id) and not len(known.audited.scores):
            raise InvalidRequest(_nothing_drawn(of, known))
        pool = claimed.open_ones(conn, of, said, everything, without=known.inputs.tolist())
        # Answers without a label of a person are evidence, and their inputs are no part of what is left.
        print_ = fingerprint(target, known.verified, known.audited, pool.scores.astype(np.float64), pool.concepts)
        before = tunings.of_version(conn, app.pk, of.version.id)
    look = _look(before, print_)
    decision = decide(
        known.verified,
        pool.scores,
        pool.concepts,
        target,
        exclusive=of.exclusive,
        look=look,
        audited=known.audited,
        audited_from=known.audited_from,
    )
    params = {"by": DATA, "model_id": model_id, **asdict(target), "look": look, "fingerprint": print_}
    result = {**decision.as_json(of.concepts), "evidence": known.counts(), "pool": len(pool)}
    wanted = decision.thresholds(of.concepts)
    with store.write() as conn:
        now = _hold(conn, app)
        if _look(tunings.of_version(conn, app.pk, of.version.id), print_) != look:
            raise Overloaded("somebody else tuned this model at the same time; try again")
        made = None
        if not dry_run and any(value < NEVER for value in wanted.values()):
            made = _make(conn, now, of.route, wanted, of.version)
        row = tunings.add(
            conn,
            app.pk,
            model_version_id=of.version.id,
            params={**params, "dry_run": dry_run},
            result=result,
            made=made,
            user_id=user_id,
        )
    return Tuned(row.id, of, decision, known, made)


def by_hand(
    store: Store, app: Row[Any], wanted: Mapping[str, float], *, user_id: str, model: int | None = None
) -> Row[Any]:
    """Set thresholds that a person chose, in both thresholders of the pair; returns the tuning's row.

    There is no promise about them.

    Args:
        wanted: concept id to threshold, 0 to 1, or NEVER.
        model: the key of the model whose pair is meant, where the workflow has more than one.

    Raises:
        DoesNotExist: the app is gone.
        InvalidRequest: a value is not legal, the pair has no threshold for a concept, or there is no pair that can
            get new versions.
        Overloaded: somebody else changed the workflow meanwhile.
    """
    if not wanted:
        raise InvalidRequest("no threshold is given")
    with store.read() as conn:
        way = can_change(app, route.find(conn, _there(conn, app), model=model), "")
    known = {**way.below.thresholds, **way.above.thresholds}
    for concept, value in wanted.items():
        if concept not in known:
            raise InvalidRequest(f"the thresholders have no threshold for {concept!r}; they have: {_some(known)}")
        if not (0 <= value <= 1 or value == NEVER):
            raise InvalidRequest(f"the threshold of {concept!r} is {value}; 0 to 1 is legal, or {NEVER} for never")
    with store.write() as conn:
        made = _make(conn, _hold(conn, app), way, wanted, way.model_version)
        return tunings.add(
            conn,
            app.pk,
            model_version_id=way.model_version.id,
            params={"by": HAND, "model_id": way.model_version.model_id},
            result={"thresholds": dict(wanted), "before": {c: known[c] for c in wanted}},
            made=made,
            user_id=user_id,
        )


def undo(store: Store, app: Row[Any], tuning_id: str) -> Row[Any]:
    """Take a tuning back; returns its row.

    The thresholders get versions as those before the tuning were, and the workflow one with the nodes that it had.

    Args:
        tuning_id: the whole of it.

    Raises:
        DoesNotExist: there is no such tuning.
        InvalidRequest: it made nothing, has been undone, or the workflow has been changed since.
    """
    with store.write() as conn:
        _hold(conn, app)
        row = tunings.get(conn, app.pk, tuning_id)
        if row is None:
            raise DoesNotExist(f"app {app.id!r} has no tuning {tuning_id!r}")
        if row.made is None:
            raise InvalidRequest(f"tuning {row.id} made nothing, so there is nothing to undo")
        if not tunings.mark_undone(conn, row.pk):
            raise InvalidRequest(f"tuning {row.id} has been undone already")
        _put_back(conn, app, row)
        return row


def check_target(target: Target) -> None:
    """Refuse a target that can't be meant.

    Raises:
        InvalidRequest: error or confidence is not within ERRORS or CONFIDENCES.
    """
    if not ERRORS[0] <= target.error <= ERRORS[1]:
        raise InvalidRequest(f"error is {target.error}; 0.000001 to 0.5 is legal, such as 0.01 for one in a hundred")
    if not CONFIDENCES[0] <= target.confidence <= CONFIDENCES[1]:
        raise InvalidRequest(f"confidence is {target.confidence}; 0.5 to 0.999999 is legal, such as 0.95")


# --- pieces ---------------------------------------------------------------------------------------


def _there(conn: Connection, app: Row[Any], *, lock: bool = False) -> Row[Any]:
    """An app as it is now."""
    row = apps.get(conn, app.user_id, app.id, lock=lock)
    if row is None or row.pk != app.pk:
        raise DoesNotExist(f"app {app.id!r} is gone")
    return row


def _hold(conn: Connection, app: Row[Any]) -> Row[Any]:
    return _there(conn, app, lock=True)


def _subject(
    conn: Connection,
    blobs: BlobStore,
    app: Row[Any],
    model_id: str,
    version_id: str = "",
    version: Row[Any] | None = None,
) -> Subject:
    if version is None:
        return claimed.subject(conn, blobs, app, model_id, version_id)
    row = models.versions_by_pk(conn, [version.pk]).get(version.pk)
    if row is None:
        raise ModelDoesNotExist(f"version {version.id!r} of model {version.model_id!r} is gone")
    return claimed.of_version(conn, blobs, app, row)


def _look(before: Sequence[Row[Any]], print_: str) -> int:
    """The number of a look: that of an earlier one at the very same, or the next."""
    looks = [row.params for row in before if row.params.get("by") == DATA]
    again = [params["look"] for params in looks if params["fingerprint"] == print_]
    return int(again[0]) if again else 1 + max((int(params["look"]) for params in looks), default=0)


def _nothing_drawn(of: Subject, known: Evidence) -> str:
    told = (
        f"nothing was drawn at random for version {of.version.id} of model {of.version.model_id!r}, so there is no "
        "evidence about it: draw with  labelwright thresholds draw"
    )
    if known.not_drawn:
        told += f". {refused(known.not_drawn)}"
    return told


def refused(n: int) -> str:
    """Why labels that were not drawn are no evidence."""
    return (
        f"{n} {'claim' if n == 1 else 'claims'} that people decided without a draw {'is' if n == 1 else 'are'} no "
        "evidence: people are shown what the model is unsure of, and its share of mistakes is not that of the rest"
    )


def can_change(app: Row[Any], way: Route | None, model_id: str) -> Route:
    """The way, if new versions can be made along it."""
    if way is None:
        named = f"model {model_id!r}" if model_id else "a model with a pair of thresholders behind it"
        raise InvalidRequest(
            f"the default workflow of app {app.id!r} does not run {named}: put it into the workflow, with thresholders "
            "that compare GREATER_THAN and LESS_THAN behind it"
        )
    if way.workflow.app != app.pk:
        raise InvalidRequest(
            f"the default workflow {way.workflow.id!r} is another app's, and can't be changed from here"
        )
    for one in (way.above, way.below):
        if one.version.app != app.pk:
            raise InvalidRequest(
                f"node {one.node_id!r} runs model {one.version.model_id!r} of another app, which can't get a version "
                f"from here: make one of type concept-threshold in app {app.id!r}"
            )
    if way.above.version.model == way.below.version.model:
        raise InvalidRequest(f"both thresholders are the same model {way.above.version.model_id!r}; make two of them")
    return way


def _make(
    conn: Connection, app: Row[Any], way: Route | None, wanted: Mapping[str, float], version: Row[Any]
) -> dict[str, Any]:
    """New versions of both thresholders and of the workflow; says what was made and what was before."""
    if way is None:
        raise InvalidRequest("the default workflow does not run the model")
    if not route.stands(conn, app, way) or version.pk not in models.versions_by_pk(conn, [version.pk]):
        raise Overloaded("the default workflow was changed meanwhile; try again")
    keys = {one.node_id: route.add_version(conn, one, wanted) for one in (way.above, way.below)}
    keys[way.node_id] = version.pk
    rows = models.versions_by_pk(conn, keys.values())
    pins = {node_id: rows[key] for node_id, key in keys.items()}
    wire, nodes = route.repinned(way, pins)
    made = workflows.add_version(conn, way.workflow.pk, wire=wire, nodes=nodes)
    return {
        "workflow": {"id": way.workflow.id, "version": _id_of(conn, way.workflow.pk, made), "before": way.version.id},
        "models": [
            {"id": one.version.model_id, "version": pins[one.node_id].id, "before": one.version.id}
            for one in (way.above, way.below)
        ],
        "model": {"id": version.model_id, "version": version.id, "before": way.model_version.id},
    }


def _id_of(conn: Connection, workflow: int, version: int) -> str:
    newest = workflows.version(conn, workflow)
    if newest is None or newest.pk != version:
        raise Overloaded("the workflow got another version meanwhile; try again")
    return str(newest.id)


def _put_back(conn: Connection, app: Row[Any], row: Row[Any]) -> None:
    said = row.made["workflow"]
    workflow = workflows.get(conn, app.pk, said["id"])
    if workflow is None:
        raise InvalidRequest(f"workflow {said['id']!r} is gone, or has another id now")
    there = workflows.versions_by_id(conn, workflow.pk, [said["version"], said["before"]])
    newest = workflows.version(conn, workflow.pk)
    if said["before"] not in there or newest is None:
        raise InvalidRequest(
            f"version {said['before']!r} of workflow {workflow.id!r}, which was before, has been deleted"
        )
    if said["version"] not in there or _nodes(newest) != _nodes(there[said["version"]]):
        raise InvalidRequest(
            f"workflow {workflow.id!r} has been changed since: its newest version is {newest.id}, and the tuning made "
            f"{said['version']}; undo what came later first"
        )
    for one in row.made["models"]:
        model = models.get(conn, app.pk, one["id"])
        before = models.version(conn, model.pk, one["before"]) if model is not None else None
        if before is not None:
            route.add_copy(conn, before)
    before = there[said["before"]]
    pins = [(node.node_id, node.model_version) for node in workflows.nodes(conn, before.pk)]
    nodes = WorkflowVersion(nodes=WorkflowVersion.FromString(before.wire).nodes)
    workflows.add_version(conn, workflow.pk, wire=nodes.SerializeToString(deterministic=True), nodes=pins)


def _nodes(version: Row[Any]) -> list[Any]:
    return list(WorkflowVersion.FromString(version.wire).nodes)


def _some(names: Mapping[str, Any]) -> str:
    shown = ", ".join(sorted(names)[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "none"
