"""How much a client may waste before the server hangs up. Counts for one engine; knows nothing of time."""

from __future__ import annotations

from gatepost.protocols.smtp.settings import SmtpLimits


class Patience:
    """Each method counts one thing and says what there is too much of, or None."""

    __slots__ = ("_bad_commands", "_failed_logins", "_idle_commands", "_limits", "_rejected_recipients")

    def __init__(self, limits: SmtpLimits) -> None:
        self._limits = limits
        self._bad_commands = 0
        self._failed_logins = 0
        self._idle_commands = 0
        self._rejected_recipients = 0

    def bad_command(self) -> str | None:
        """A command that is wrong in itself."""
        self._bad_commands += 1
        return "errors" if self._bad_commands >= self._limits.bad_commands else None

    def idle_command(self) -> str | None:
        """A command that brings no message nearer."""
        self._idle_commands += 1
        return "commands without a message" if self._idle_commands >= self._limits.idle_commands else None

    def failed_login(self) -> str | None:
        """Credentials that were refused."""
        self._failed_logins += 1
        return "failed logins" if self._failed_logins >= self._limits.failed_logins else None

    def rejected_recipient(self) -> str | None:
        """A recipient that was refused: beyond some, the client is guessing addresses."""
        self._rejected_recipients += 1
        return "rejected recipients" if self._rejected_recipients >= self._limits.rejected_recipients else None

    def message_came(self) -> None:
        """The client does what it is here for."""
        self._idle_commands = 0
