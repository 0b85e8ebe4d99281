"""What all tests share: where the helper modules of the tests lie, and when a missing program is an error."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

for _room in ("integration", "session", "store", "management"):
    sys.path.append(str(Path(__file__).parent / _room))

MUST_ALL_RUN = "GATEPOST_TESTS_MUST_ALL_RUN"


@pytest.fixture
def needs_program() -> object:
    """`needs_program("curl")`: skip, saying why, where a program is missing; fail where everything has to run (CI)."""

    def need(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            reason = f"the program {name} is not installed"
            if os.environ.get(MUST_ALL_RUN):
                pytest.fail(f"{reason}, and {MUST_ALL_RUN} is set")
            pytest.skip(reason)
        return path

    return need
