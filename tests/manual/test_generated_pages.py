"""The reference and the manual page are those that `make manual` makes, and man(1) takes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from manual.man_page import escaped
from manual.pages import DIRECTORY, pages
from tests.cannot_run import cannot_run

from gatepost.cli.main import app
from gatepost.registry.catalogue import EVERY_TYPE
from gatepost.registry.connection import PROXY_HEADER
from gatepost.registry.declaration import ObjectType
from gatepost.registry.listener_status import ACCEPT_QUEUE, LISTENER_ADDRESS, SOCKET_OPTION

PAGES = pages()
NESTED = {"ListenerStatus": (LISTENER_ADDRESS, ACCEPT_QUEUE, SOCKET_OPTION), "Connection": (PROXY_HEADER,)}


@pytest.mark.parametrize("file", PAGES, ids=[str(file.relative_to(DIRECTORY)) for file in PAGES])
def test_a_page_says_what_the_program_does(file: Path) -> None:
    assert file.is_file() and file.read_text(encoding="utf-8") == PAGES[file], (
        "run `make manual` and commit what it writes"
    )


def test_there_is_no_page_of_what_there_is_no_more() -> None:
    assert set((DIRECTORY / "reference").iterdir()) == {file for file in PAGES if file.suffix == ".md"}


@pytest.mark.parametrize("object_type", EVERY_TYPE.values(), ids=lambda each: each.name)
def test_every_property_stands_once_on_the_page_of_its_object(object_type: ObjectType[Any]) -> None:
    page = PAGES[DIRECTORY / "reference" / f"{object_type.name}.md"]
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and line.count(" | ") == 5]
    within = [name for nested in NESTED.get(object_type.name, ()) for name in nested.properties]
    assert sorted(rows) == sorted([*object_type.properties, *within])


def test_every_command_and_every_option_is_in_the_manual_page() -> None:
    page = PAGES[DIRECTORY / "man" / "gatepost.1"]
    for name, command in typer.main.get_group(app).commands.items():
        assert f".SS gatepost {name}" in page
        names = {option for each in command.params for option in each.opts if option.startswith("--")}
        assert [option for option in names - {"--help"} if escaped(option) not in page] == []


def test_the_manual_page_is_what_man_takes() -> None:
    groff = shutil.which("groff")
    if groff is None:
        cannot_run("groff is not installed")
    command = [groff, "-man", "-ww", "-z", "-Tutf8", str(DIRECTORY / "man" / "gatepost.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
