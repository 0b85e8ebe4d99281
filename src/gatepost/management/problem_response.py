"""Problem documents (RFC 7807) as HTTP answers. They never repeat what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gatepost.management.jmap.failure import RequestError
from gatepost.store.interface import Busy
from gatepost.telemetry import events
from gatepost.telemetry.events import Event


class HttpProblem(Exception):
    """An answer that is a problem document. Raised anywhere behind a route, answered by the application."""

    def __init__(self, status: int, detail: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem_response(document: Mapping[str, object], status: int, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """The answer with this problem document."""
    response = Response(msgspec.json.encode(document), status, media_type="application/problem+json")
    response.headers["cache-control"] = "no-store"
    for name, value in headers:
        response.headers.append(name, value)
    return response


def _plain_document(status: int, detail: str) -> dict[str, object]:
    return {"type": "about:blank", "status": status, "title": HTTPStatus(status).phrase, "detail": detail}


async def answer_http_problem(_request: Request, error: Exception) -> Response:
    """For HttpProblem."""
    assert isinstance(error, HttpProblem)  # noqa: S101 - registered for nothing else
    return problem_response(_plain_document(error.status, error.detail), error.status, error.headers)


async def answer_request_error(_request: Request, error: Exception) -> Response:
    """For RequestError of the JMAP engine."""
    assert isinstance(error, RequestError)  # noqa: S101 - registered for nothing else
    return problem_response(error.document(), 400)


async def answer_http_exception(_request: Request, error: Exception) -> Response:
    """For what the router raises: 404 and 405."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    headers = tuple((error.headers or {}).items())
    detail = "there is nothing here" if error.status_code == HTTPStatus.NOT_FOUND else str(error.detail)
    return problem_response(_plain_document(error.status_code, detail), error.status_code, headers)


async def answer_store_error(_request: Request, error: Exception) -> Response:
    """For what the store raises outside of a method call: who a client is cannot be found out now."""
    if not isinstance(error, Busy):
        events.error(Event.STORE_FAILED, reason=str(error))
    detail = "the store does not answer at the moment: try again"
    return problem_response(_plain_document(503, detail), 503, (("retry-after", "2"),))


async def answer_internal_error(_request: Request, _error: Exception) -> Response:
    """For everything else; the server logs it."""
    return problem_response(_plain_document(500, "the server failed; its log says why"), 500)
