"""What is shipped for the web UI: works under `default-src 'self'`, needs nothing from elsewhere, refers to what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gatepost

ROOT = Path(gatepost.__file__).parent / "webui"
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file())
MODULES = [path for path in FILES if path.suffix == ".js"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|(src|href)=\"//|@import|url\(", text)


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (ROOT / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="app.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_module_builds_html_from_text(path: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text("utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_import_is_a_shipped_file(path: Path) -> None:
    for imported in re.findall(r'from "([^"]+)"', path.read_text(encoding="utf-8")):
        assert (path.parent / imported).is_file(), imported


def test_what_the_page_refers_to_is_shipped() -> None:
    page = (ROOT / "index.html").read_text(encoding="utf-8")
    for reference in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (ROOT / reference).is_file(), reference
