"""What the pages' scripts ask for beside the API itself: one table."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from labelwright.errors import LabelwrightError
from labelwright.protocol import (
    annotation_history,
    audit_answers,
    audits,
    evaluation_page,
    loops,
    overview,
    review_queue,
    runs_of_app,
    tuning,
    verdicts,
)
from labelwright.protocol.dispatch import TURNS, Server
from labelwright.protocol.pool import PatientPool
from labelwright.protocol.server import CORE
from labelwright.review.endpoint import Function, as_json, endpoint

PREFIX = "/ui/api/{user}/{app}"

TABLE: tuple[tuple[str, str, Function, str], ...] = (
    ("POST", "review/take", review_queue.take, "PatchAnnotations"),
    ("GET", "review/summary", review_queue.summary, "ListAnnotations"),
    ("POST", "review/hold", review_queue.hold, "PatchAnnotations"),
    ("POST", "review/release", review_queue.release, "PatchAnnotations"),
    ("POST", "review/verdicts", verdicts.decide, "PatchAnnotations"),
    ("POST", "review/undo", verdicts.undo, "PatchAnnotations"),
    ("GET", "history", annotation_history.history, "ListAnnotations"),
    ("GET", "overview", overview.overview, "GetApp"),
    ("GET", "histogram", overview.histogram, "ListAnnotations"),
    ("GET", "inputs", overview.inputs_page, "ListInputs"),
    ("GET", "evaluation", evaluation_page.evaluation, "GetEvaluation"),
    ("GET", "runs", runs_of_app.runs, "ListAnnotations"),
    ("POST", "runs/undo", runs_of_app.undo_run, "DeleteAnnotations"),
    ("POST", "audit/take", audits.take, "PatchAnnotations"),
    ("POST", "audit/hold", audits.hold, "PatchAnnotations"),
    ("POST", "audit/release", audits.release, "PatchAnnotations"),
    ("POST", "audit/answer", audit_answers.answer, "PatchAnnotations"),
    ("POST", "audit/undo", audit_answers.undo, "PatchAnnotations"),
    ("POST", "audit/draw", audits.draw, "PatchAnnotations"),
    ("GET", "audit/status", audits.status, "ListAnnotations"),
    ("GET", "thresholds", tuning.listing, "ListWorkflows"),
    ("GET", "thresholds/forecast", tuning.forecast, "ListAnnotations"),
    ("POST", "thresholds/draw", tuning.draw, "PostAnnotations"),
    ("POST", "thresholds/apply", tuning.apply, "PatchWorkflows"),
    ("POST", "thresholds/undo", tuning.undo, "PatchWorkflows"),
    ("GET", "loops", loops.listing, "ListModelVersions"),
    ("POST", "loops/run", loops.run, "PostModelVersions"),
    ("POST", "loops/stop", loops.stop, "PostModelVersions"),
)
"""Verb, path, function, and the RPC whose keys and scopes are needed."""

SHOWS = {
    "review/take": ("GetInput",),
    "review/undo": ("GetInput",),
    "audit/take": ("GetInput",),
    "audit/undo": ("GetInput",),
    "overview": ("GetInputCount", "ListConcepts"),
    "evaluation": ("ListModelVersions", "ListEvaluations"),
    "thresholds/apply": ("PostModelVersions",),
    "thresholds/undo": ("PostModelVersions",),
    # All that its rounds do in the caller's name.
    "loops/run": ("PostModels", "PostConcepts", "PatchWorkflows", "PatchApps", "PostAnnotations", "DeleteAnnotations"),
}
"""What a path shows besides, by the RPCs that show it: these too must be allowed in the app."""


def routes(server: Server) -> list[BaseRoute]:
    """The routes of the table, and ``GET /ui/session``."""
    pool = PatientPool(CORE, 2 * TURNS, thread_name_prefix="pages")
    made: list[BaseRoute] = [
        endpoint(server, pool, verb, f"{PREFIX}/{path}", rpc, function, SHOWS.get(path, ()))
        for verb, path, function, rpc in TABLE
    ]

    async def session(request: Request) -> Response:
        """Who is signed in, if anybody; and the CSRF token, which is another when they sign in anew in another tab."""
        headers = dict(request.headers)
        try:
            caller = await run_in_threadpool(server.auth.holder, headers)
        except LabelwrightError:
            return as_json({"user": "", "csrf": ""})
        kind, _, value = headers.get("authorization", "").partition(" ")
        csrf = server.auth.sessions.read(value).csrf if kind.lower() == "session" else ""
        return as_json({"user": caller.user_id, "csrf": csrf})

    return [*made, Route("/ui/session", session, methods=["GET"])]
