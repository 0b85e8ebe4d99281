"""How many event streams a worker carries, and how often they say something. A part of the management application."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatepost.management.jmap.event_source import PingBounds


@dataclass(frozen=True, slots=True)
class EventStreamLimits:
    """Of one worker. `longest_silence` in seconds: middle boxes forget connections on which nothing moves."""

    most_streams: int = 256
    most_streams_of_account: int = 16
    ping: PingBounds = field(default_factory=PingBounds)
    longest_silence: float = 60.0
