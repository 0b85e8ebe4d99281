"""Which threads this process has, for tests that look for one that was left."""

from __future__ import annotations

import threading


def own_threads() -> set[str]:
    """Their names, without those that the event loop keeps for `asyncio.to_thread`: it makes more of them as it likes."""
    return {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
