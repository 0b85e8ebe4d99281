"""The files of the web UI. Their names do not change with their content, so browsers ask each time whether they changed."""

from __future__ import annotations

import gzip
import os
import re
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

_COMPRESSED = frozenset({".css", ".html", ".js", ".json", ".svg"})
_NEVER = re.compile(r"gzip;q=0(\.0*)?\Z")
_SMALLEST = 512  # octets; what is smaller fits into the packet of its headers


class WebUiFiles(StaticFiles):
    """`index.html` stands for its folder. An unchanged file is answered with 304 (RFC 9110 section 15.4.5), a text is
    compressed for who takes that (section 12.5.3): once for each version of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file with the headers that make browsers check it again."""
        request_headers = Headers(scope=scope)
        response: Response = FileResponse(full_path, status_code=status_code, stat_result=stat_result)
        response.headers["cache-control"] = "no-cache"
        path = Path(full_path)
        if path.suffix in _COMPRESSED and stat_result.st_size >= _SMALLEST:
            response.headers["vary"] = "Accept-Encoding"
            if _takes_gzip(request_headers):
                response = _compressed(path, stat_result, response.headers, status_code)
        if self.is_not_modified(response.headers, request_headers):
            return NotModifiedResponse(response.headers)
        return response


def _takes_gzip(request_headers: Headers) -> bool:
    codings = [each.replace(" ", "") for each in request_headers.get("accept-encoding", "").lower().split(",")]
    return "gzip" in codings or any(each.startswith("gzip;q=") and not _NEVER.match(each) for each in codings)


def _compressed(path: Path, stat_result: os.stat_result, headers: MutableHeaders, status_code: int) -> Response:
    octets = _gzipped(path, stat_result.st_mtime_ns, stat_result.st_size)
    kept = {name: headers[name] for name in ("cache-control", "content-type", "last-modified", "vary")}
    etag = f'{headers["etag"].rstrip(chr(34))}-gzip"'  # another encoding is another representation
    return Response(octets, status_code, {**kept, "etag": etag, "content-encoding": "gzip"})


@lru_cache(maxsize=256)
def _gzipped(path: Path, _modified: int, _size: int) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)
