"""When a test lacks something on this machine: it says so, and where everything has to run (CI) that is a failure."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

MUST_ALL_RUN = "GATEPOST_TESTS_MUST_ALL_RUN"


def cannot_run(reason: str) -> NoReturn:
    """Skip the test with this reason; fail it where MUST_ALL_RUN is set."""
    if os.environ.get(MUST_ALL_RUN):
        pytest.fail(f"{reason}, and {MUST_ALL_RUN} is set")
    pytest.skip(reason)
