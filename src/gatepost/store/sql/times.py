"""Times as they stand in a row: microseconds since 1970 in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def stored_time(moment: datetime) -> int:
    """How the time is stored; it has a time zone."""
    return (moment - _EPOCH) // _MICROSECOND


def time_of(stored: int) -> datetime:
    """The time that is stored so."""
    return _EPOCH + timedelta(microseconds=stored)
