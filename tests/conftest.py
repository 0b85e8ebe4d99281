"""What tests of several rooms share: programs that a test needs, and a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest
from tests.cannot_run import cannot_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The machine may be busy with something else: how long an example takes says nothing of the program.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of whole servers first: they take longest, and at the end nobody shall wait for one of them alone."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


def _need(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        cannot_run(f"the program {name} is not installed")
    return path


@pytest.fixture
def needs_program() -> Callable[[str], str]:
    """`needs_program("curl")` gives its path; skips, saying why, where it is missing; fails where all must run (CI)."""
    return _need


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, as the system has it."""
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("GATEPOST_TEST_CHROMIUM") or _need("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()
