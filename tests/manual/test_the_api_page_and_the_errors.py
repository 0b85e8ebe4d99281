"""docs/api.md names every error that the API gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatepost.registry.problem import ProblemType

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
MADE = re.compile(r'\b(?:MethodError|SetError|RequestError)\(\s*"(\w+)"')
KINDS = {
    kind
    for file in (ROOT / "src" / "gatepost" / "management").rglob("*.py")
    for kind in MADE.findall(file.read_text(encoding="utf-8"))
}


def errors_section() -> str:
    _, _, section = PAGE.partition("\n## Errors\n")
    return section


@pytest.mark.parametrize("kind", sorted(KINDS | {each.value for each in ProblemType}))
def test_the_page_names_each_error(kind: str) -> None:
    assert f"`{kind}`" in errors_section()


def test_errors_were_found_in_the_code() -> None:
    assert {"stateMismatch", "objectIsLinked", "unknownCapability", "limit"} <= KINDS
