"""A deadline for work that must not take a time out of proportion to its input: the test fails instead of hanging."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


def _fail(_number: int, _frame: FrameType | None) -> NoReturn:
    raise AssertionError("this takes far too long for its input")


@contextmanager
def hang_deadline(seconds: float = 20.0) -> Iterator[None]:
    """Only for what takes a small part of `seconds` when it is right. In the main thread, one at a time."""
    before = signal.signal(signal.SIGALRM, _fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
