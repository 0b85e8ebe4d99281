"""Every link between the Markdown files leads somewhere: the file is there, and so is the heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if not path.is_relative_to(ROOT / "node_modules")
)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:href|src|srcset)=\"([^\"]+)\"")
CODE = re.compile(r"^(```|~~~).*?^\1|(?<!`)`[^`\n]+`", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"\b[a-z_]+/[a-z_/]*[a-z_0-9]+\.(?:py|js|service|socket)\b")
DECISION = re.compile(r"\bADR (\d{4})\b")


def prose(path: Path) -> str:
    """Without code, in which brackets are no links."""
    return CODE.sub("", path.read_text(encoding="utf-8"))


def links(path: Path) -> Iterator[str]:
    for inline, attribute in LINK.findall(prose(path)):
        target = inline or attribute
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    outside_code = re.sub(r"^(```|~~~).*?^\1", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", outside_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    broken = []
    for target in links(page):
        name, _, anchor = unquote(target).partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_decision_that_is_named_is_there(page: Path) -> None:
    numbers = set(DECISION.findall(page.read_text(encoding="utf-8")))
    assert [number for number in numbers if not list((ROOT / "docs" / "adr").glob(f"{number}-*.md"))] == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_file_of_the_code_that_is_named_is_there(page: Path) -> None:
    named = set(FILE.findall(page.read_text(encoding="utf-8")))
    places = (ROOT, ROOT / "src" / "gatepost", ROOT / "docs")
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def test_the_list_of_decisions_has_every_one_by_its_title() -> None:
    decisions = ROOT / "docs" / "adr"
    listed = dict(
        re.findall(r"^\| \[\d{4}\]\((\S+)\) \| (.*) \|$", (decisions / "README.md").read_text(), re.MULTILINE)
    )
    titles = {path.name: path.read_text().splitlines()[0][len("# 0000 ") :] for path in decisions.glob("0*.md")}
    assert listed == titles


def test_links_are_found_and_broken_ones_are_seen() -> None:
    assert {"docs/operations.md", "LICENSE"} <= set(links(ROOT / "README.md"))
    assert "ports-and-privileges" in anchors(ROOT / "docs" / "operations.md")
