"""Watching files by looking at them: certificates and keys that somebody else renews.

Each worker looks, so that none has to be singled out; whoever sees a change first brings it about for all, and the others find
nothing left to do. Looking (stat) follows symbolic links, which is how certbot and Kubernetes replace files; inotify does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

_INTERVAL = 1.0  # seconds

_Seen = dict[str, tuple[int, ...] | None]


async def watch_files(
    paths: Callable[[], Sequence[str]], changed: Callable[[], None], interval: float = _INTERVAL
) -> None:
    """Call `changed` when one of the files is another than before; never ends. Also once at first, where there are files:
    nobody may have looked for a while.

    A pair is two files, and nobody can replace two files at once: a change is told when two looks in a row saw the same.
    """
    told: _Seen = {}
    last: _Seen = {}
    while True:
        wanted = tuple(paths())
        seen = await asyncio.to_thread(_look, wanted) if wanted else {}
        if seen == last and seen != told:
            if seen:
                changed()
            told = seen
        last = seen
        await asyncio.sleep(interval)


def _look(paths: Sequence[str]) -> _Seen:
    return {path: _signature(path) for path in paths}


def _signature(path: str) -> tuple[int, ...] | None:
    """What differs when the file does; None where there is none."""
    try:
        seen = Path(path).stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
