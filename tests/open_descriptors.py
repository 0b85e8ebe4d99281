"""How many descriptors this process has open, for tests that look for a leak, and a shortage of them."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


def open_descriptors() -> int:
    """The number; the descriptor that it takes to look is always part of it."""
    gc.collect()  # what an earlier test has left in a cycle is not of this one
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a number is all that is wanted


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """This process can open nothing in here; what it has open stays."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        try:
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
