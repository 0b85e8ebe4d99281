"""What is shipped for the web UI: works under `default-src 'self'`, needs nothing from elsewhere, refers to what is there,
and has its libraries exactly as they were published."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import gatepost

ROOT = Path(gatepost.__file__).parent / "webui"
VENDOR = ROOT / "vendor"
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".ts")
OWN = [path for path in FILES if not path.is_relative_to(VENDOR)]
MODULES = [path for path in OWN if path.suffix == ".js"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", OWN, ids=named)
def test_nothing_is_loaded_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|(src|href)=\"//|@import [\"u]|url\(", text)


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (ROOT / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script[^>]*>", page) == ['<script type="module" src="app.js">']
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_no_module_builds_html_from_text(path: Path) -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert not re.search(forbidden, path.read_text("utf-8"))


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".js"], ids=named)
def test_every_import_is_a_shipped_file(path: Path) -> None:
    for imported in re.findall(r'(?:from|import)\s?\(?"([^"]+)"', path.read_text(encoding="utf-8")):
        assert (path.parent / imported).is_file(), imported


def test_what_the_page_refers_to_is_shipped() -> None:
    page = (ROOT / "index.html").read_text(encoding="utf-8")
    for reference in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert (ROOT / reference).is_file(), reference


def imported_at_once(path: Path) -> set[Path]:
    """By a module, and by what it imports: all that has to be there before it runs."""
    found, wanted = set[Path](), {path}
    while wanted:
        module = wanted.pop()
        found.add(module)
        imported = re.findall(r'^(?:import|export) [^;]*?from "([^"]+)";', module.read_text("utf-8"), re.MULTILINE)
        wanted |= {(module.parent / each).resolve() for each in imported} - found
    return found


def test_the_page_names_what_it_begins_with_so_that_no_module_waits_for_another() -> None:
    page = (ROOT / "index.html").read_text(encoding="utf-8")
    preloaded = set(re.findall(r'rel="modulepreload" href="([^"]+)"', page))
    assert preloaded == {named(each) for each in imported_at_once(ROOT / "app.js")} - {"app.js"}
    assert not {each for each in preloaded if each.startswith("parts/") and "input" in each}, "forms come later"


def test_every_library_is_what_the_list_says_with_its_licence() -> None:
    listed = json.loads((VENDOR / "libraries.json").read_text())
    for library in listed:
        assert hashlib.sha256((VENDOR / library["file"]).read_bytes()).hexdigest() == library["sha256"], library["file"]
        assert (VENDOR / f"LICENSE.{library['package']}").is_file()
    shipped = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert shipped == {library["file"] for library in listed}


def test_the_libraries_are_those_that_the_checks_are_made_against() -> None:
    package = json.loads((Path(__file__).parents[2] / "package.json").read_text())
    for library in json.loads((VENDOR / "libraries.json").read_text()):
        assert package["devDependencies"][library["package"]] == library["version"]
