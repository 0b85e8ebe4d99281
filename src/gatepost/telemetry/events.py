"""The log: one line per event on standard error, as text or JSON. Event names come from `Event`, so that they can be
searched for, counted and documented. Values never hold message content, passwords or keys."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from enum import Enum
from types import ModuleType
from typing import Any, Protocol, TextIO, cast

from gatepost.telemetry import standard_error


class Event(Enum):
    """Everything that gatepost logs."""

    SERVER_RUNS_AS_ROOT = "server.runs_as_root"
    SERVER_READY = "server.ready"
    SERVER_STOPPING = "server.stopping"
    SERVER_STOPPED = "server.stopped"
    WORKER_STARTED = "worker.started"
    WORKER_DIED = "worker.died"
    WORKER_LATE = "worker.late"
    WORKER_RETIRED = "worker.retired"
    UPGRADE_BEGUN = "upgrade.begun"
    UPGRADE_DONE = "upgrade.done"
    UPGRADE_FAILED = "upgrade.failed"
    UPGRADE_UNREACHABLE = "upgrade.unreachable"
    UPGRADE_COUNTS_ANEW = "upgrade.counts_anew"
    LISTENER_FAILED = "listener.failed"
    LISTENER_SHARED = "listener.shared"
    SOCKET_LEFT_ALONE = "socket.left_alone"
    LISTENER_OPENED = "listener.opened"
    PLAN_APPLIED = "plan.applied"
    PLAN_NOT_APPLIED = "plan.not_applied"
    CHANGE_ABANDONED = "change.abandoned"
    CERTIFICATE_LOADED = "certificate.loaded"
    CERTIFICATE_NOT_LOADED = "certificate.not_loaded"
    CONNECTION_CLOSED = "connection.closed"  # written by access_log
    CONNECTION_REFUSED = "connection.refused"
    CONVERSATION_FAILED = "conversation.failed"
    HANDLER_FAILED = "handler.failed"  # code of a program that embeds gatepost
    PROXY_HEADER_REJECTED = "proxy_header.rejected"
    TLS_FAILED = "tls.failed"
    ACCEPT_PAUSED = "accept.paused"
    LOGIN = "login"
    LOGIN_FAILED = "login.failed"
    MESSAGE_RECEIVED = "message.received"
    STORE_FAILED = "store.failed"
    API_METHOD_FAILED = "api.method_failed"
    LOOP_ERROR = "loop.error"


_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LOG_LEVELS = tuple(_LEVELS)
_MOST_WAITING = 1_000_000  # characters that are kept for a log that cannot be written to at the moment
_IN_ONE_WRITE = standard_error.MOST_IN_ONE_WRITE // 4  # characters: one has four octets at most
LOG_FORMATS = ("text", "json")


def configure(*, log_format: str, log_level: str, process: str) -> None:
    """Set the log up for this process. `process` is shown in every line: `supervisor`, `worker-1`."""
    structlog = _structlog()
    rendering = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [
            _show_control_characters,
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=26, sort_keys=False),
        ]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *rendering,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log_level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def _show_control_characters(_logger: object, _method: str, values: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """What clients have said must not write lines of the log, or tell the terminal of who reads it what to do."""
    for key, value in values.items():
        if isinstance(value, str) and not value.isprintable():
            lines = value.split("\n") if key == "exception" else [value]
            values[key] = "\n".join(map(_printable, lines))
    return values


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def preload() -> None:
    """Load what `configure` needs, in a process that is about to be forked."""
    _structlog()


def _structlog() -> ModuleType:
    """Loaded when it is needed: a program that embeds gatepost has a log of its own."""
    if "structlog" in sys.modules:
        return sys.modules["structlog"]
    # It shows tracebacks by rich where it finds it: not wanted in a log, and a tenth of a second for every process.
    rich = sys.modules.get("rich")
    sys.modules["rich"] = None  # type: ignore[assignment]  # "not installed"
    import structlog

    if rich is None:
        del sys.modules["rich"]
    else:
        sys.modules["rich"] = rich
    return structlog


class Log(Protocol):
    """Where events go."""

    def is_enabled_for(self, level: int, /) -> bool:
        """Whether events of that level are written down; levels as in `logging`."""

    def log(self, level: int, event: str, /, **values: Any) -> None:
        """Write an event down. An exception comes as the value `exc_info`."""


class _StructuredLog:
    """The log of a server: structlog, as `configure` has set it up. It is asked for when there is something to log first."""

    _logger: Any = None

    def is_enabled_for(self, level: int, /) -> bool:
        return bool(self._made.is_enabled_for(level))

    def log(self, level: int, event: str, /, **values: Any) -> None:
        self._made.log(level, event, **values)

    @property
    def _made(self) -> Any:
        if self._logger is None:
            self._logger = _structlog().get_logger()
        return self._logger


_SERVER_LOG: Log = _StructuredLog()
_log = _SERVER_LOG


def log_to(log: Log | None) -> None:
    """Where the events of this process go from now on; None: where `configure` says."""
    global _log  # noqa: PLW0603 - one process, one log
    _log = log or _SERVER_LOG


def is_logged(log_level: str) -> bool:
    """Whether events of that level go to the log of this process."""
    return _log.is_enabled_for(_LEVELS[log_level])


def debug(event: Event, **values: object) -> None:
    """For somebody who looks for the cause of something: every connection."""
    _log.log(logging.DEBUG, event.value, **values)


def info(event: Event, **values: object) -> None:
    """What an operator wants to find later."""
    _log.log(logging.INFO, event.value, **values)


def warning(event: Event, **values: object) -> None:
    """Something did not go as it should; the server goes on."""
    _log.log(logging.WARNING, event.value, **values)


def error(event: Event, *, failure: BaseException | None = None, **values: object) -> None:
    """A fault of the server, or of what it needs. `failure` is logged with its traceback."""
    _log.log(logging.ERROR, event.value, exc_info=failure, **values)


def loop_error(_loop: object, context: dict[str, Any]) -> None:
    """For `loop.set_exception_handler`: a callback or a task that nobody looks after has failed."""
    error(Event.LOOP_ERROR, failure=context.get("exception"), reason=str(context.get("message", "")))


class _StandardError:
    """Where lines go. A log that nobody reads any more must not keep the server from serving: what it does not take waits for
    the next line, and where too much waits, lines are lost."""

    def __init__(self) -> None:
        self._waiting = ""

    def write(self, text: str) -> None:
        waiting, self._waiting = self._waiting + text, ""
        try:
            while waiting:
                if not standard_error.takes_more():
                    self._waiting = waiting if len(waiting) <= _MOST_WAITING else waiting.removesuffix(text)
                    return
                # Whole lines where they fit: between two writes other processes may write theirs.
                end = waiting.rfind("\n", 0, _IN_ONE_WRITE) + 1 or _IN_ONE_WRITE
                sys.stderr.write(waiting[:end])
                sys.stderr.flush()
                waiting = waiting[end:]
        except (OSError, ValueError):  # a broken pipe, a full disk, a closed file
            pass

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            pass
