"""The files of the web UI. Their names do not change with their content, so browsers ask each time whether they changed."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope


class WebUiFiles(StaticFiles):
    """`index.html` stands for its folder. An unchanged file is answered with 304 (RFC 9110 section 15.4.5)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file with the headers that make browsers check it again."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        return response
