"""The events of an embedded server go to the program's own log: the logger `gatepost` of `logging`, and nothing is configured."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gatepost.telemetry import events

LOGGER = logging.getLogger("gatepost")

_lock = threading.Lock()
_servers = 0


class StandardLog:
    """See telemetry.events.Log. The message is the event's name and its values; a handler finds them apart in the record's
    `gatepost`."""

    def is_enabled_for(self, level: int, /) -> bool:
        """As the program has set its loggers up."""
        return LOGGER.isEnabledFor(level)

    def log(self, level: int, event: str, /, *, exc_info: BaseException | None = None, **values: Any) -> None:
        """One record."""
        if LOGGER.isEnabledFor(level):
            words = " ".join((event, *(f"{name}={value!r}" for name, value in values.items())))
            LOGGER.log(level, "%s", words, exc_info=exc_info, extra={"gatepost": {"event": event, **values}})


@contextmanager
def events_to_logging() -> Iterator[None]:
    """While at least one embedded server runs in this process, in whatever thread."""
    global _servers  # noqa: PLW0603 - one process, one log
    with _lock:
        _servers += 1
        events.log_to(StandardLog())
    try:
        yield
    finally:
        with _lock:
            _servers -= 1
            if _servers == 0:
                events.log_to(None)
