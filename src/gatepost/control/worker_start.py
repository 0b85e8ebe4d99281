"""What a worker process is told when it is made; afterwards there is the channel."""

from __future__ import annotations

import msgspec


class WorkerStart(msgspec.Struct, frozen=True, kw_only=True):
    """Its place, its descriptors, and what `compose` gave."""

    index: int
    row: int  # of the counter page
    control: int
    counters: int
    counter_rows: int
    notices: int
    settings: dict[str, object]
