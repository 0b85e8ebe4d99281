"""The schema document as a resource whose address names its content, so that it never has to be fetched twice."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gatepost.management.problem_response import HttpProblem
from gatepost.registry.declaration import ObjectType
from gatepost.registry.schema import schema_document


class SchemaResource:
    """Made once; the declarations do not change while the program runs."""

    def __init__(self, object_types: Iterable[ObjectType[Any]]) -> None:
        self._document = msgspec.json.encode(schema_document(object_types))
        self._compressed = gzip.compress(self._document, mtime=0)
        self.hash = hashlib.sha256(self._document).hexdigest()[:32]

    def redirect(self) -> Response:
        """To where the document of this version is."""
        return RedirectResponse(f"/api/schema/{self.hash}", 302, {"cache-control": "no-cache"})

    def answer(self, request: Request) -> Response:
        """The document. Raises HttpProblem 404 for that of another version."""
        if request.path_params["hash"] != self.hash:
            raise HttpProblem(404, "this server has another schema: see /api/schema")
        headers = {
            "cache-control": "private, max-age=31536000, immutable",
            "etag": f'"{self.hash}"',
            "vary": "Accept-Encoding",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                self._compressed, headers={**headers, "content-encoding": "gzip"}, media_type="application/json"
            )
        return Response(self._document, headers=headers, media_type="application/json")
