"""What a worker process is told in its environment when it starts; afterwards there is the channel."""

from __future__ import annotations

import msgspec

ENVIRONMENT_VARIABLE = "GATEPOST_WORKER"


class WorkerStart(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is told when it starts: which descriptors it has inherited, and what `compose` gave."""

    index: int
    row: int  # of the counter page
    control: int
    counters: int
    counter_rows: int
    notices: int
    settings: dict[str, object]
