"""The pages: one table of where they are, and what stands around each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from labelwright.errors import LabelwrightError, Throttled
from labelwright.protocol.auth import Caller
from labelwright.protocol.dispatch import Server, dispatch
from labelwright.protocol.methods import methods
from labelwright.protocol.rest.statuses import http_status
from labelwright.review import assets
from labelwright.review.samples import Samples, none_installed
from labelwright.review.security import page_headers
from labelwright.review.session import (
    HOME,
    Tries,
    drop_cookie,
    form_of,
    is_own,
    local_path,
    session_of,
    set_cookie,
)

log = structlog.get_logger("labelwright.pages")

APP = "/apps/{user}/{app}"

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an app."""

    path: str
    template: str
    title: str
    """The key of its title in strings/shell.json."""


PAGES = (
    Page(f"{APP}", "overview", "page_overview"),
    Page(f"{APP}/inputs", "inputs", "page_inputs"),
    # An id may be the path of a file, with its slashes.
    Page(f"{APP}/inputs/{{input:path}}", "input", "page_input"),
    Page(f"{APP}/add", "add", "page_add"),
    Page(f"{APP}/concepts", "concepts", "page_concepts"),
    Page(f"{APP}/models", "models", "page_models"),
    Page(f"{APP}/models/{{model}}/evaluation", "evaluation", "page_evaluation"),
    Page(f"{APP}/workflow", "workflow", "page_workflow"),
    Page(f"{APP}/runs", "runs", "page_runs"),
    Page(f"{APP}/review", "review", "page_review"),
    Page(f"{APP}/review/grid", "grid", "page_grid"),
    Page(f"{APP}/audit", "audit", "page_audit"),
)

TABS = ("review", "grid", "audit", "overview", "inputs", "add", "concepts", "models", "workflow", "runs")
"""The pages that the bar of an app leads to, in order."""


def routes(server: Server, photos: Samples = none_installed) -> list[BaseRoute]:
    """The routes of all pages, and of signing in and out."""
    site = _Site(server, photos)
    made: list[BaseRoute] = [
        Route("/", site.root, methods=["GET"]),
        Route("/login", site.guarded(site.login), methods=["GET"]),
        Route("/login", site.guarded(site.sign_in), methods=["POST"]),
        Route("/logout", site.guarded(site.sign_out), methods=["POST"]),
        Route(HOME, site.guarded(site.apps), methods=["GET"]),
    ]
    made += [Route(page.path, site.page(page), methods=["GET"]) for page in PAGES]
    return [*made, Route("/apps/{rest:path}", site.guarded(site.nowhere), methods=["GET"])]


class _Site:
    """Answers for the pages of one server."""

    def __init__(self, server: Server, photos: Samples) -> None:
        self._server = server
        self._photos = photos
        self._headers = page_headers(server.settings)
        self._tries = Tries()
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(assets.folder("templates")),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals["fill"] = _fill

    # --- signing in ---------------------------------------------------------------------------------

    async def root(self, _: Request) -> Response:
        return self._go(HOME)

    async def login(self, request: Request) -> Response:
        after = local_path(request.query_params.get("next", ""))
        if await run_in_threadpool(self._caller, request):
            return self._go(after)
        return self._login(request, after)

    async def sign_in(self, request: Request) -> Response:
        try:
            form = await form_of(request)
        except (LabelwrightError, ValueError):
            return self._error(request, 400, None)
        after = local_path(form.get("next", ""))
        if not is_own(request):
            return self._login(request, after, "login_elsewhere", 403)
        # What people paste: with white space around it, or as the header that curl takes.
        token = form.get("token", "").strip().removeprefix("Key ").strip()
        if not token:
            return self._login(request, after, "login_empty", 400)
        try:
            self._tries.count(request)
            session = await run_in_threadpool(self._server.auth.open_session, token)
            self._tries.went_well(request)
        except Throttled:
            return self._login(request, after, "login_throttled", 429)
        except LabelwrightError:
            # The same words for every token that is not good: which of them exist is nobody's business.
            return self._login(request, after, "login_wrong", 401)
        response = self._go(after)
        set_cookie(response, self._server.settings, session.value)
        return response

    async def sign_out(self, request: Request) -> Response:
        try:
            form = await form_of(request)
        except (LabelwrightError, ValueError):
            return self._error(request, 400, None)
        session = await run_in_threadpool(session_of, self._server, request)
        if session is not None and (form.get("csrf") != session.csrf or not is_own(request)):
            return self._error(request, 403, await run_in_threadpool(self._caller, request))
        response = self._go("/login")
        drop_cookie(response, self._server.settings)
        return response

    def _login(self, request: Request, after: str, wrong: str = "", status: int = 200) -> Response:
        return self._render(request, "login", status, None, "page_login", next=after, wrong=wrong)

    # --- pages --------------------------------------------------------------------------------------

    async def apps(self, request: Request) -> Response:
        return await run_in_threadpool(self._apps, request)

    def _apps(self, request: Request) -> Response:
        caller = self._caller(request)
        if caller is None:
            return self._to_login(request)
        if caller.app is not None:
            # The key of one app: that is all it sees.
            status, found = self._app(request, "", "")
            if status != 200:
                return self._error(request, status, caller)
            return self._go(f"/apps/{quote(found.user_id)}/{quote(found.id)}")
        return self._render(request, "apps", 200, caller, "page_apps", photos=len(self._photos()))

    def page(self, page: Page) -> Handler:
        """The handler of a page of an app."""

        async def show(request: Request) -> Response:
            return await run_in_threadpool(self._page, request, page)

        return self.guarded(show)

    def guarded(self, handler: Handler) -> Handler:
        """The handler, whose failure is a page too."""

        async def show(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as e:  # as in the dispatcher: no traceback reaches a client
                log.error("a page failed", path=ascii(request.scope["path"][:200]), exc_info=e)
                return self._error(request, 500, None)

        return show

    def _page(self, request: Request, page: Page) -> Response:
        caller = self._caller(request)
        if caller is None:
            return self._to_login(request)
        params = request.path_params
        if params.get("input") == "":
            return self._error(request, 404, caller)
        status, app = self._app(request, params["user"], params["app"])
        if status == 401:
            return self._to_login(request)
        if status != 200:
            return self._error(request, status, caller)
        try:
            return self._render(
                request,
                page.template,
                200,
                caller,
                page.title,
                user=app.user_id,
                app=app.id,
                app_name=app.name or app.id,
                input=params.get("input", ""),
                model=params.get("model", ""),
            )
        except jinja2.TemplateNotFound as e:
            if e.name == f"{page.template}.html":
                return self._error(request, 404, caller)
            raise

    async def nowhere(self, request: Request) -> Response:
        caller = await run_in_threadpool(self._caller, request)
        return self._to_login(request) if caller is None else self._error(request, 404, caller)

    # --- what they share ----------------------------------------------------------------------------

    def _caller(self, request: Request) -> Caller | None:
        try:
            return self._server.auth.holder(dict(request.headers))
        except LabelwrightError:
            return None

    def _app(self, request: Request, user: str, app: str) -> tuple[int, Any]:
        """The HTTP status with which GetApp answers, and the app."""
        method = methods()["GetApp"]
        asked: Any = method.request()
        asked.user_app_id.user_id, asked.user_app_id.app_id = user, app
        reply: Any = dispatch(self._server, method, asked, dict(request.headers))
        return http_status(reply.status), reply.app

    def _go(self, where: str) -> Response:
        return RedirectResponse(where, 303, {"cache-control": "no-store"})

    def _to_login(self, request: Request) -> Response:
        # As it was asked for: the scope's own path is decoded, and a ? in it would be the query's.
        path = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        # What is too long to come back to is not sent along: it would be too long for the browser's next request.
        response = self._go("/login?" + urlencode({"next": local_path(f"{path}?{query}" if query else path)}))
        if session_of(self._server, request) is not None:
            drop_cookie(response, self._server.settings)
        return response

    def _error(self, request: Request, status: int, caller: Caller | None) -> Response:
        shown = status if status in (400, 403, 404, 429) else 404 if status < 500 else 500
        return self._render(request, "error", shown, caller, f"error_{shown}", code=shown)

    def _render(
        self, request: Request, template: str, status: int, caller: Caller | None, title: str, **given: Any
    ) -> Response:
        session = session_of(self._server, request) if caller else None
        files = assets.current()
        context: dict[str, Any] = {
            "t": files.strings,
            "asset": assets.address,
            "page": template,
            "title": getattr(files.strings.shell, title),
            "me": caller.user_id if caller else "",
            "csrf": session.csrf if session else "",
            "tabs": TABS,
            "user": "",
            "app": "",
            "app_name": "",
            "input": "",
            "model": "",
            **given,
        }
        html = self._templates.get_template(f"{template}.html").render(context)
        return Response(html, status, {**self._headers, "content-type": "text/html; charset=utf-8"})


def _fill(text: str, **values: Any) -> str:
    """A text with its {placeholders} filled. What stands in a value is no placeholder."""
    parts = text.split("{")
    filled = [parts[0]]
    for part in parts[1:]:
        name, closed, rest = part.partition("}")
        filled.append(f"{values[name]}{rest}" if closed and name in values else f"{{{part}")
    return "".join(filled)
