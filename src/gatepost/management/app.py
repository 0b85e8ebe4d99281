"""The management API as an ASGI application: which path leads where. Served by every http listener; made by `compose`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gatepost.management.cross_origin import CrossOrigin
from gatepost.management.direct_path import AnswerFailure, DirectPath
from gatepost.management.endpoints import Endpoints
from gatepost.management.forwarded_requests import ForwardedRequests
from gatepost.management.jmap.failure import RequestError
from gatepost.management.parts import ManagementParts
from gatepost.management.problem_response import (
    HttpProblem,
    answer_http_exception,
    answer_http_problem,
    answer_internal_error,
    answer_request_error,
    answer_store_error,
)
from gatepost.management.security_headers import SecurityHeaders
from gatepost.management.web_ui_files import WebUiFiles
from gatepost.store.interface import StoreError

_JMAP_PATHS = frozenset({"/jmap", "/jmap/", "/api"})
_FAILURES: Mapping[type[Exception], AnswerFailure] = {
    HttpProblem: answer_http_problem,
    RequestError: answer_request_error,
    HTTPException: answer_http_exception,
    StoreError: answer_store_error,
}


def make_app(parts: ManagementParts) -> ASGIApp:
    """The application. It needs no lifespan events. `scope["state"]["listener_id"]` must hold the id of the listener."""
    endpoints = Endpoints(parts)
    routes = [
        *(Route(path, endpoints.jmap, methods=["POST"]) for path in _JMAP_PATHS),
        Route("/jmap/session", endpoints.session),
        *(Route(path, endpoints.event_source) for path in ("/jmap/eventsource", "/jmap/eventsource/")),
        Route("/jmap/upload/{account_id}/", endpoints.upload, methods=["POST"]),
        Route("/jmap/download/{account_id}/{blob_id}/{name:path}", endpoints.download),
        Route("/.well-known/jmap", endpoints.well_known),
        Route("/api/schema", endpoints.schema),
        Route("/api/schema/{hash}", endpoints.schema_of_hash),
        Route("/api/account", endpoints.account),
        Route("/api/login", endpoints.log_in, methods=["POST"]),
        Route("/api/logout", endpoints.log_out, methods=["POST"]),
        Route("/healthz/live", endpoints.live),
        Route("/healthz/ready", endpoints.ready),
        Route("/metrics", endpoints.metrics),
        Route("/", endpoints.home),
        Route("/admin", endpoints.home),
        Mount("/admin", WebUiFiles(parts.web_ui)),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={**_FAILURES, 500: answer_internal_error},
    )
    app.router.redirect_slashes = False
    direct = DirectPath(app, _JMAP_PATHS, endpoints.jmap, _FAILURES, answer_internal_error)
    served = ForwardedRequests(CrossOrigin(direct, parts.running_plan), parts.running_plan, parts.is_blocked)
    return SecurityHeaders(served, parts.running_plan)
