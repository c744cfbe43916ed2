"""The loop's effects: each step does its part in one transaction with the move to the next, so that a kill costs none.

Three steps do more than one transaction. Vectors are made in batches, each of which is found when it is looked for
again; so is a tuning; and the jobs of trainings and re-runs go on by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from clarifai_grpc.grpc.api.resources_pb2 import Concept, ModelVersion
from sqlalchemy import Connection, Row

from labelwright.annotator.commit import standing as annotations_of
from labelwright.annotator.intake import Intake
from labelwright.annotator.plans import output_info
from labelwright.config import Settings
from labelwright.errors import DoesNotExist, LabelwrightError, ModelInvalidRequest
from labelwright.ids import resource_id_problem
from labelwright.media.blobs import BlobStore
from labelwright.operators import registry
from labelwright.store import (
    apps,
    concepts,
    draws,
    jobs,
    labels,
    loops,
    models,
    runs,
    training_labels,
    trainings,
    tunings,
)
from labelwright.store.engine import Store, now
from labelwright.training import claims as claimed
from labelwright.training import embedders, evidence, loop, loop_draws, loop_way, tuner
from labelwright.training import labels as what_trains
from labelwright.training.claims import Subject
from labelwright.training.loop import Params, Spent
from labelwright.training.params import TRAIN_PARAMS, Asked, checked
from labelwright.training.thresholds import Chosen
from labelwright.training.tuning import NEVER, Target, verify_more

QUEUED = 21103
"""The API's MODEL_QUEUED_FOR_TRAINING."""

DEFAULT_TYPE = "embedding-classifier"

MOVED, PEOPLE, JOB, ENDED = "moved", "people", "job", "ended"
"""What a step can come to: the next one can begin; people are to answer; a job is to be carried; there is no next."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a loop stands after a step."""

    what: str
    """MOVED, PEOPLE, JOB or ENDED."""
    text: str = ""
    """What was done, or is waited for; "" for nothing worth a line."""
    done: int = 0
    total: int = 0
    job: str = ""
    """The id of the job that is waited for."""


class _Lost(Exception):
    """Somebody else has moved the loop meanwhile."""


@dataclass(slots=True)
class _Turn:
    """What a step works with."""

    row: Row[Any]
    app: Row[Any]
    params: Params
    cursor: dict[str, Any]
    stop: Callable[[], bool]

    @property
    def round(self) -> int:
        number: int = self.cursor["round"]
        return number


def begin(store: Store, app: Row[Any], params: Params) -> tuple[Row[Any], bool]:
    """Begin a loop; or the one of this app and model that has not ended, with True. A model that is missing is made.

    Raises:
        InvalidRequest: a parameter is not legal, or a concept is not the app's.
        ModelInvalidRequest: the model learns no concepts, or its id is not legal.
    """
    params.check()
    # A target that no tuning of a later round would take is refused now.
    tuner.check_target(Target(params.error, params.round_confidence, params.joint))
    with store.write() as conn:
        _hold(conn, app)
        for row in loops.listing(conn, app.pk, state=loop.RUNNING):
            if row.params.get("model") == params.model:
                return row, True
        model = models.get(conn, app.pk, params.model)
        if model is None:
            if problem := resource_id_problem(params.model):
                raise ModelInvalidRequest(f"model id: {problem}")
            models.add(conn, app.pk, id=params.model, name=params.model, model_type_id=DEFAULT_TYPE, wire=b"")
        elif not any(p.name == "people_only" for p in TRAIN_PARAMS.get(model.model_type_id, ())):
            raise ModelInvalidRequest(f"model {params.model!r} is a {model.model_type_id}, which learns no concepts")
        concepts.ensure(conn, app.pk, dict.fromkeys(params.concepts, ""))
        cursor: dict[str, Any] = {
            "step": loop.EMBED,
            "then": loop.SEED,
            "round": 1,
            "embedded": 0,
            "taught": [],
            "fresh": [],
            "spoiled": [],
            "asked": [],
            "promise": None,
        }
        return loops.add(conn, app.pk, state=loop.RUNNING, params=params.to_json(), cursor=cursor), False


def stop(store: Store, row: Row[Any]) -> bool:
    """End a loop for good; False where it had ended.

    What it labelled stays, and nobody is asked any more what it would have learned from. Claims that were drawn to be
    verified still wait: without them the answers behind them would tell nothing.
    """
    with store.write() as conn:
        newest = loops.by_pk(conn, row.pk)
        if newest is None or newest.state != loop.RUNNING:
            return False
        loop_draws.drop_unanswered(conn, newest.app, newest.cursor["taught"])
        return loops.move(conn, newest, state=loop.STOPPED, message="it was stopped")


class Looper:
    """Moves loops of one store."""

    def __init__(self, settings: Settings, store: Store, blobs: BlobStore) -> None:
        self._settings = settings
        self._store = store
        self._blobs = blobs
        self._steps: Mapping[str, Callable[[_Turn], Stand]] = {
            loop.EMBED: self._embed,
            loop.SEED: self._seed,
            loop.WAIT: self._wait,
            loop.TRAIN: self._train,
            loop.TRAINING: self._training,
            loop.ROUTE: self._route,
            loop.VERIFY: self._verify,
            loop.TUNE: self._tune,
            loop.APPLY: self._apply,
            loop.RERUN: self._rerun,
            loop.RECORD: self._record,
            loop.ASK: self._ask,
        }

    def step(self, pk: int, stop: Callable[[], bool] = lambda: False) -> Stand:
        """Do what a loop (its key) can do now, up to its next step.

        Raises:
            DoesNotExist: the loop, its app or model is gone.
            LabelwrightError: why it can't go on; the next call tries again.
        """
        with self._store.read() as conn:
            row = loops.by_pk(conn, pk)
            app = apps.by_pk(conn, row.app) if row is not None else None
        if row is None or app is None:
            raise DoesNotExist("the loop is gone, with its app")
        if row.state != loop.RUNNING:
            return Stand(ENDED, row.message)
        turn = _Turn(row, app, Params.from_json(row.params), dict(row.cursor), stop)
        try:
            return self._steps[turn.cursor["step"]](turn)
        except _Lost:
            return Stand(MOVED)

    # --- vectors and the seed ---------------------------------------------------------------------

    def _embed(self, turn: _Turn) -> Stand:
        with self._store.read() as conn:
            embedder = embedders.of_app(conn, turn.app)
            some = loops.without_vector(
                conn, turn.app.pk, embedder.id, after=turn.cursor["embedded"], limit=embedders.AT_ONCE
            )
            total = loops.count_inputs(conn, turn.app.pk)
        if not some:
            self._move(turn, turn.cursor["then"])
            return Stand(MOVED)
        making = embedders.Embedding(self._store, self._blobs, Intake(self._settings, self._blobs), turn.app, embedder)
        if making.make(some, stop=turn.stop) is not None:
            self._move(turn, loop.EMBED, embedded=some[-1])
        return Stand(MOVED, "vectors are made", 0, total)

    def _seed(self, turn: _Turn) -> Stand:
        params = turn.params
        with self._store.read() as conn:
            wanted = params.concepts or what_trains.concepts_with_labels(conn, turn.app.pk)
            said = what_trains.spoken_of(conn, turn.app.pk, wanted, people_only=True)
            budget = loop.left(params, self._spent(conn, turn))
            asked = len(loop_draws.items_of(conn, turn.app.pk, turn.cursor["taught"]))
            pool = self._unasked(conn, turn)
        enough = loop.enough_shown(params, int((said.labels == 1).any(0).sum()))
        n = loop.more_to_seed(params, len(said.inputs), asked, enough, budget)
        if n and pool:
            chosen = self._chance(turn).permutation(np.array(pool, np.int64))[:n].tolist()
            with self._store.write() as conn:
                drawn = self._teach(conn, turn, chosen, len(pool))
                self._move_in(conn, turn, loop.WAIT, then=loop.SEED, taught=[drawn], asked=[drawn])
            return Stand(MOVED, f"{len(chosen)} inputs are drawn to begin with.")
        if enough:
            self._move(turn, loop.TRAIN)
            return Stand(MOVED)
        why = "the budget is spent" if pool else "no input with a vector is left to ask about"
        return self._end(turn, f"{why}, and people have not named enough concepts to train: two, or the only one")

    def _teach(self, conn: Connection, turn: _Turn, inputs: Sequence[int], of: int) -> str:
        """Draw inputs to learn from, in the order given; returns the draw's id."""
        about = {"loop": turn.row.id, "round": turn.round, "of": of, "concepts": list(turn.params.concepts)}
        items = [draws.NewItem(int(pk), "", "", None, len(inputs) / max(of, len(inputs))) for pk in inputs]
        made = draws.draw(conn, turn.app.pk, draws.TEACH, items, user_id=turn.app.user_id, params=about)
        return str(made.id)

    # --- people -----------------------------------------------------------------------------------

    def _wait(self, turn: _Turn) -> Stand:
        with self._store.read() as conn:
            items = loop_draws.items_of(conn, turn.app.pk, turn.cursor["asked"])
            people = loops.by_people(conn, turn.app.pk, turn.params.concepts)
        elsewhere = [i for i in items if i.answer is None and i.input in people]
        if elsewhere and self._settle(turn, elsewhere):
            return Stand(MOVED)
        answered = sum(i.answer is not None for i in items)
        if answered < len(items):
            where = f"/apps/{turn.app.user_id}/{turn.app.id}/audit"
            text = f"{answered} of {len(items)} answered; people answer at {where}"
            return Stand(PEOPLE, text, answered, len(items))
        self._move(turn, turn.cursor["then"], asked=[])
        return Stand(MOVED)

    def _settle(self, turn: _Turn, items: Sequence[Row[Any]]) -> bool:
        """Take labels that people gave elsewhere as answers; whether that was any."""
        found = 0
        with self._store.write() as conn:
            _hold(conn, turn.app)
            for item in items:
                if item.kind == draws.TEACH:
                    found += draws.answer(conn, item.pk, draws.RIGHT, by="", said={"elsewhere": True})
            if any(item.kind == draws.VERIFY for item in items):
                of = self._subject(conn, turn)
                found += evidence.settle(conn, of, claimed.words(conn, of))
        return found > 0

    # --- training ---------------------------------------------------------------------------------

    def _train(self, turn: _Turn) -> Stand:
        params = turn.params
        with self._store.read() as conn:
            shown = what_trains.concepts_with_positives(conn, turn.app.pk, people_only=True)
        wanted = [c for c in shown if not params.concepts or c in params.concepts]
        with self._store.write() as conn:
            model = self._model(conn, turn)
            old = models.version(conn, model.pk)
            wire = ModelVersion()
            if old is not None:
                wire.output_info.output_config.CopyFrom(output_info(old.wire).output_config)
            # Asked which one it is: where there are several, an input shows one of them.
            wire.output_info.output_config.concepts_mutually_exclusive = len(wanted) > 1
            wire.output_info.data.concepts.extend(Concept(id=c) for c in wanted)
            wire.description = f"round {turn.round} of loop {turn.row.id}"
            given = {"people_only": True, "error": params.error, "seed": params.seed % 2**32}
            how = checked(registry.get(model.model_type_id), given)
            asked = Asked(concepts=tuple(wanted), exclusive=len(wanted) > 1, **how)
            pk = models.add_version(conn, model.pk, status_code=QUEUED, wire=wire.SerializeToString(deterministic=True))
            job = trainings.add(conn, turn.app.pk, pk, asked.to_json())
            self._move_in(conn, turn, loop.TRAINING, version=pk, job=job)
        return Stand(MOVED, f"Round {turn.round}: a version of {params.model} learns {len(wanted)} concepts.")

    def _training(self, turn: _Turn) -> Stand:
        return self._job(turn, "training", then=loop.ROUTE, again=loop.TRAIN)

    def _job(self, turn: _Turn, what: str, *, then: str, again: str) -> Stand:
        with self._store.read() as conn:
            job = jobs.get(conn, turn.cursor["job"])
            run = runs.by_pk(conn, job.cursor["run"]) if job is not None and "run" in job.cursor else None
        if job is not None and job.state in jobs.UNFINISHED:
            return Stand(JOB, what, job.done, job.total, job.id)
        if job is not None and job.state == jobs.COMPLETED:
            self._move(turn, then, **({"run": run.id} if run is not None else {}))
            return Stand(MOVED)
        self._move(turn, again)
        why = "it is gone" if job is None else job.message
        raise LabelwrightError(f"round {turn.round}, {what}: {why}. The same command tries again.")

    def _route(self, turn: _Turn) -> Stand:
        text = ""
        with self._store.write() as conn:
            _hold(conn, turn.app)
            app = apps.by_pk(conn, turn.app.pk)
            version = self._version(conn, turn)
            if app is not None and loop_way.missing(conn, app, self._model(conn, turn)):
                named = [c.id for c in output_info(version.wire).data.concepts]
                text = f"The default workflow did not run {turn.params.model}: "
                text += loop_way.make(conn, app, version, named).told()
            self._move_in(conn, turn, loop.VERIFY)
        return Stand(MOVED, text)

    # --- verifying and tuning ---------------------------------------------------------------------

    def _verify(self, turn: _Turn) -> Stand:
        with self._store.read() as conn:
            of = self._subject(conn, turn)
            everything, said = claimed.claims(conn, of), claimed.words(conn, of)
            before = loop_draws.items_of(conn, turn.app.pk, turn.cursor["fresh"])
            again = []
            if of.exclusive:
                again = loop_draws.carried(of, everything, said, before, set(turn.cursor["spoiled"]))
            pool = self._open(conn, turn, of, everything)
            budget = loop.left(turn.params, self._spent(conn, turn))
            looks = [row.pk for row in tunings.of_version(conn, turn.app.pk, of.version.id)]
        n = min(max(turn.params.verify - len(again), 0), budget, len(pool))
        rows = self._chance(turn).permutation(len(pool))[:n]
        with self._store.write() as conn:
            _hold(conn, turn.app)
            fresh = loop_draws.draw(conn, turn.row, of, pool, rows.tolist(), turn.round) if n else ""
            loop_draws.draw_again(conn, turn.row, of, again, turn.round)
            new = [fresh] if fresh else []
            turn.cursor["tunings"] = max(looks, default=0)
            if n or again:
                self._move_in(conn, turn, loop.WAIT, then=loop.TUNE, fresh=new, asked=new)
            else:
                out = {"way": loop.NONE, "advice": "it claims nothing that could be verified"}
                self._move_in(conn, turn, loop.RECORD, outcome=out)
        kept = f", beside {len(again)} verified before" if again else ""
        return Stand(MOVED, f"{n} claims are drawn to be verified{kept}." if n else "")

    def _tune(self, turn: _Turn) -> Stand:
        params = turn.params
        target = Target(params.error, params.round_confidence, params.joint)
        with self._store.read() as conn:
            version = self._version(conn, turn)
            made = [
                row
                for row in tunings.of_version(conn, turn.app.pk, version.id)
                # Before a kill that came between the tuning and our own note of it.
                if row.pk > turn.cursor["tunings"]
                and row.made is not None
                and row.undone_at is None
                and row.params.get("by") == tuner.DATA
                and all(row.params.get(n) == getattr(target, n) for n in ("error", "confidence", "joint"))
            ]
        if made:
            tuning, result = made[-1].id, made[-1].result
        else:
            dry = self._tuned(turn, version, target, dry_run=True)
            if self._outcome(turn, dry.decision.as_json(dry.subject.concepts))["way"] in (loop.HELD, loop.NONE):
                tuning, result = "", dry.decision.as_json(dry.subject.concepts)
            else:
                done = self._tuned(turn, version, target, dry_run=False)
                tuning, result = done.id, done.decision.as_json(done.subject.concepts)
        out = self._outcome(turn, result)
        if tuning and out["way"] in (loop.HELD, loop.NONE):
            # Somebody answered or labelled between the look and the tuning, and now it does not fit any more.
            if out["way"] == loop.HELD:
                tuner.undo(self._store, turn.app, tuning)
            tuning = ""
        self._move(turn, loop.APPLY if tuning else loop.RECORD, outcome=out, tuning=tuning)
        return Stand(MOVED)

    def _tuned(self, turn: _Turn, version: Row[Any], target: Target, *, dry_run: bool) -> tuner.Tuned:
        return tuner.tune(
            self._store,
            self._blobs,
            turn.app,
            turn.params.model,
            target,
            user_id=turn.app.user_id,
            version_id=version.id,
            dry_run=dry_run,
        )

    def _outcome(self, turn: _Turn, result: Mapping[str, Any]) -> dict[str, Any]:
        """What a decision (as JSON) means for the auto-labels, as the cursor keeps it."""
        limits = {
            one["concept"]: Chosen(**{k: v for k, v in one.items() if k != "concept"}) for one in result["limits"]
        }
        bounds = {c: limit.bound for c, limit in limits.items() if limit.threshold < NEVER}
        with self._store.read() as conn:
            of = self._subject(conn, turn)
            everything = claimed.claims(conn, of)
            settled = self._settled(conn, turn)
            standing = {p for p in loops.automatic(conn, turn.app.pk, of.concepts) if p[0] not in settled}
        at = {c: limits[c if c in limits else None].threshold for c in of.concepts if c in limits or None in limits}
        new = {
            (int(pk), of.concepts[concept])
            for pk, concept, score in zip(everything.inputs, everything.concepts, everything.scores, strict=True)
            if score >= at.get(of.concepts[concept], NEVER) and int(pk) not in settled
        }
        out = loop.outcome(standing, new, promise=turn.cursor["promise"], bounds=bounds, error=turn.params.error)
        advice = [f"{c}: {text}" if c else text for c, limit in limits.items() if (text := verify_more(limit))]
        return {
            "way": out.way,
            "promise": out.promise,
            "bound": max(bounds.values(), default=None),
            "thresholds": {c: value for c, value in at.items() if value < NEVER},
            "advice": "; ".join(advice)[:300],
        }

    def _apply(self, turn: _Turn) -> Stand:
        with self._store.write() as conn:
            _hold(conn, turn.app)
            row = tunings.beginning_with(conn, turn.cursor["tuning"], app=turn.app.pk)[0]
            workflow = row.made["workflow"]["version"]
            of = self._subject(conn, turn)
            if of.exclusive:
                # Who was asked which one it is has said all: no auto-label beside, and none that waits.
                asked = self._answered(conn, turn)
                self._clear(conn, turn.app, asked, workflow)
                loops.keep(conn, sorted(asked), workflow)
            if turn.cursor["outcome"]["way"] == loop.REST:
                loops.keep(conn, sorted({pk for pk, _ in loops.automatic(conn, turn.app.pk, of.concepts)}), workflow)
            job = jobs.add(conn, turn.app.pk, kind="rerun", params={"workflow": "default", "missing": True})
            self._move_in(conn, turn, loop.RERUN, job=job, run="")
        return Stand(MOVED)

    @staticmethod
    def _clear(conn: Connection, app: Row[Any], inputs: Iterable[int], workflow: str) -> None:
        """Take away, into the journal of a run, what workflows wrote on inputs that people were asked about."""
        old = []
        for some in _chunks(sorted(inputs)):
            old += annotations_of(conn, some)[1]
        if not old:
            return
        held = labels.concepts_of(conn, [row.pk for row in old])
        run = runs.add(conn, app.pk, runs.RERUN, workflow)
        runs.write_journal(conn, run.pk, [(row.input, labels.freeze(row, held.get(row.pk, []))) for row in old])
        labels.remove(conn, [row.pk for row in old])
        runs.count(conn, run.pk, inputs=len({row.input for row in old}), wrote=0, replaced=len(old))

    def _rerun(self, turn: _Turn) -> Stand:
        return self._job(turn, "labelling", then=loop.RECORD, again=loop.APPLY)

    # --- the round's end --------------------------------------------------------------------------

    def _record(self, turn: _Turn) -> Stand:
        out = turn.cursor["outcome"]
        promise = out.get("promise", turn.cursor["promise"])
        with self._store.write() as conn:
            _hold(conn, turn.app)
            spent = self._spent(conn, turn)
            version = self._version(conn, turn)
            training = trainings.get(conn, version.pk)
            pool, auto, unlabelled = self._counts(conn, turn)
            made = loop.Round(
                number=turn.round,
                version=version.id,
                trained=training.report.get("inputs", 0) if training is not None else 0,
                taught=spent.taught,
                verified=spent.verified,
                reviewed=spent.reviewed,
                auto=auto,
                open=len(unlabelled),
                pool=pool,
                way=out["way"],
                bound=out.get("bound"),
                promise=promise,
                thresholds=out.get("thresholds", {}),
                advice=out.get("advice", ""),
                tuning=turn.cursor.get("tuning", ""),
                run=turn.cursor.get("run", ""),
                at=now(),
            )
            why = loop.ended(turn.params, made, loop.left(turn.params, spent))
            turn.cursor |= {"promise": promise, "tuning": "", "run": ""}
            rounds = [*turn.row.rounds, made.to_json()]
            if why:
                self._move_in(conn, turn, loop.RECORD, rounds=rounds, state=loop.DONE, message=why)
            else:
                turn.cursor["round"] += 1
                self._move_in(conn, turn, loop.EMBED, then=loop.ASK, rounds=rounds)
        return Stand(ENDED if why else MOVED, made.line() + (f"\nThe loop has ended: {why}." if why else ""))

    def _ask(self, turn: _Turn) -> Stand:
        with self._store.read() as conn:
            budget = loop.left(turn.params, self._spent(conn, turn))
            of = self._subject(conn, turn)
            unlabelled = self._counts(conn, turn)[2]
            asked = draws.inputs_of(conn, turn.app.pk, draws.TEACH)
            verified = {i.input for i in loop_draws.items_of(conn, turn.app.pk, turn.cursor["fresh"])}
            people = loops.by_people(conn, turn.app.pk, turn.params.concepts)
            keys, vectors = what_trains.all_vectors(conn, turn.app.pk, of.embedder)
            everything = claimed.claims(conn, of)
            seen = set(trainings.seen(conn, of.version.pk))
            pool = self._open(conn, turn, of, everything)
        rest = sorted(unlabelled - asked)
        if len(rest) <= min(turn.params.batch, budget):
            # No version learns from these any more: they are all that is left.
            return self._ask_the_rest(turn, rest)
        proven = turn.cursor["promise"] is not None
        teach, verify = loop.parted(turn.params, budget, proven=proven, exclusive=of.exclusive)
        # Those that are verified are chosen too, as if nobody knew: else they would be more doubtful than what is left.
        gone = asked | seen | (people - verified)
        chance = self._chance(turn)
        chosen = loop_draws.informative(of, keys, vectors, gone, teach, besides=verified)
        spoiled = [pk for pk in chosen if pk in verified]
        chosen = [pk for pk in chosen if pk not in verified]
        left = pool.those(~np.isin(pool.inputs, chosen))
        rows = chance.permutation(len(left))[: min(verify, len(left))].tolist()
        if not chosen and not rows:
            return self._end(turn, "nothing is left to ask about")
        with self._store.write() as conn:
            _hold(conn, turn.app)
            taught = [self._teach(conn, turn, chosen, len(keys))] if chosen else []
            fresh = [loop_draws.draw(conn, turn.row, of, left, rows, turn.round)] if rows else []
            self._move_in(
                conn,
                turn,
                loop.WAIT,
                then=loop.TRAIN,
                taught=taught,
                fresh=fresh,
                spoiled=spoiled,
                asked=taught + fresh,
            )
        return Stand(
            MOVED, f"Round {turn.round}: {len(chosen)} doubtful inputs and {len(rows)} by chance are asked about."
        )

    def _ask_the_rest(self, turn: _Turn, rest: Sequence[int]) -> Stand:
        if not rest:
            return self._end(turn, "nothing is left to ask about")
        with self._store.write() as conn:
            _hold(conn, turn.app)
            drawn = self._teach(conn, turn, rest, len(rest))
            out = {"way": loop.PEOPLE, "promise": turn.cursor["promise"]}
            self._move_in(conn, turn, loop.WAIT, then=loop.RECORD, taught=[drawn], asked=[drawn], outcome=out)
        return Stand(MOVED, f"The last {len(rest)} inputs are asked about.")

    def _end(self, turn: _Turn, why: str) -> Stand:
        with self._store.write() as conn:
            self._move_in(conn, turn, turn.cursor["step"], state=loop.DONE, message=why)
        return Stand(ENDED, f"The loop has ended: {why}.")

    # --- what there is ----------------------------------------------------------------------------

    def _model(self, conn: Connection, turn: _Turn) -> Row[Any]:
        row = models.get(conn, turn.app.pk, turn.params.model)
        if row is None:
            raise DoesNotExist(f"model {turn.params.model!r} is gone; stop the loop, and begin another")
        return row

    def _version(self, conn: Connection, turn: _Turn) -> Row[Any]:
        pk = turn.cursor["version"]
        row = models.versions_by_pk(conn, [pk]).get(pk)
        if row is None:
            raise DoesNotExist(f"the version of model {turn.params.model!r} that the loop trained has been deleted")
        return row

    def _subject(self, conn: Connection, turn: _Turn) -> Subject:
        app = apps.by_pk(conn, turn.app.pk)
        if app is None:
            raise DoesNotExist("the loop's app is gone")
        return claimed.of_version(conn, self._blobs, app, self._version(conn, turn))

    def _open(self, conn: Connection, turn: _Turn, of: Subject, everything: claimed.Claims) -> claimed.Claims:
        """Claims that may be drawn: nobody decided them, or was asked about their inputs."""
        asked = draws.inputs_of(conn, turn.app.pk, draws.TEACH) | draws.inputs_of(conn, turn.app.pk, draws.VERIFY)
        return claimed.open_ones(conn, of, claimed.words(conn, of), everything, without=sorted(asked))

    def _unasked(self, conn: Connection, turn: _Turn) -> list[int]:
        """Inputs with a vector that nobody labelled or was asked about, ascending."""
        embedder = embedders.of_app(conn, turn.app)
        pool = set(training_labels.with_vector(conn, turn.app.pk, embedder.id))
        asked = draws.inputs_of(conn, turn.app.pk, draws.TEACH) | draws.inputs_of(conn, turn.app.pk, draws.VERIFY)
        return sorted(pool - asked - loops.by_people(conn, turn.app.pk, turn.params.concepts))

    def _answered(self, conn: Connection, turn: _Turn) -> set[int]:
        """Inputs that people were asked about by this loop, and have answered."""
        items = loop_draws.items_of(conn, turn.app.pk, [*turn.cursor["taught"], *turn.cursor["fresh"]])
        return {i.input for i in items if i.answer is not None}

    def _settled(self, conn: Connection, turn: _Turn) -> set[int]:
        """Inputs that are people's: they labelled them, or answered about them."""
        return self._answered(conn, turn) | loops.by_people(conn, turn.app.pk, turn.params.concepts)

    def _counts(self, conn: Connection, turn: _Turn) -> tuple[int, int, set[int]]:
        """How many inputs the loop is about, how many of them have auto-labels, and those that have no label yet."""
        of = self._subject(conn, turn)
        pool = set(training_labels.with_vector(conn, turn.app.pk, of.embedder))
        settled = self._settled(conn, turn)
        auto = {pk for pk, _ in loops.automatic(conn, turn.app.pk, turn.params.concepts or of.concepts)} - settled
        return len(pool), len(auto & pool), pool - settled - auto

    def _spent(self, conn: Connection, turn: _Turn) -> Spent:
        taught = loop_draws.items_of(conn, turn.app.pk, turn.cursor["taught"])
        verified = loop_draws.items_of(conn, turn.app.pk, turn.cursor["fresh"])
        asked = {i.input for i in [*taught, *verified]}
        people = loops.by_people(conn, turn.app.pk, turn.params.concepts, after=turn.row.created_at)
        return Spent(
            sum(i.answer is not None for i in taught),
            sum(i.answer is not None for i in verified),
            len(people - asked),
        )

    @staticmethod
    def _chance(turn: _Turn) -> np.random.Generator:
        """Chance of its own for each draw, the same after a kill."""
        return np.random.default_rng([turn.params.seed, len(turn.cursor["taught"]), len(turn.cursor["fresh"])])

    # --- moving -----------------------------------------------------------------------------------

    def _move(self, turn: _Turn, step: str, **cursor: Any) -> None:
        with self._store.write() as conn:
            self._move_in(conn, turn, step, **cursor)

    def _move_in(
        self,
        conn: Connection,
        turn: _Turn,
        step: str,
        *,
        rounds: list[Any] | None = None,
        state: str = loop.RUNNING,
        message: str = "",
        **cursor: Any,
    ) -> None:
        """Note the next step in the transaction that does this one; lists of the cursor grow, save ``asked``."""
        made = {**turn.cursor, "step": step}
        for name, value in cursor.items():
            grows = name in ("taught", "fresh", "spoiled")
            made[name] = [*made[name], *value] if grows else value
        values: dict[str, Any] = {"cursor": made, "state": state, "message": message}
        if rounds is not None:
            values["rounds"] = rounds
        if not loops.move(conn, turn.row, **values):
            raise _Lost


def _hold(conn: Connection, app: Row[Any]) -> None:
    if apps.get(conn, app.user_id, app.id, lock=True) is None:
        raise DoesNotExist(f"app {app.id!r} is gone")


def _chunks(values: Sequence[int]) -> Iterable[Sequence[int]]:
    return (values[i : i + 1000] for i in range(0, len(values), 1000))


def find(conn: Connection, loop_id: str) -> Row[Any]:
    """A loop by the beginning of its id.

    Raises:
        DoesNotExist: there is none, or more than one.
    """
    found = loops.beginning_with(conn, loop_id) if loop_id else []
    if len(found) != 1:
        raise DoesNotExist(f"there is {'more than one' if found else 'no'} loop {loop_id!r}")
    return found[0]
