"""All routes of this room, and what goes around the app for them."""

from __future__ import annotations

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from labelwright.protocol.dispatch import Server
from labelwright.review import api, assets, pages, samples
from labelwright.review.session import CookieSessions


def routes(server: Server, photos: samples.Samples = samples.none_installed) -> list[BaseRoute]:
    """The routes of the pages, their files, and what their scripts ask for.

    Args:
        photos: finds those that an empty store's page offers to begin with.
    """
    return [*assets.routes(), *api.routes(server), *samples.routes(photos), *pages.routes(server, photos)]


def with_sessions(app: ASGIApp, server: Server) -> ASGIApp:
    """The app, to which a session's cookie is as good as a key where it may be."""
    return CookieSessions(app, server.auth.sessions)
