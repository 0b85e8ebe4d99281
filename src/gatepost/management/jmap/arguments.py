"""Reading the arguments of a method call, with the words for each that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.values.ids import Id, is_id

MAX_INT = 2**53 - 1  # RFC 8620 section 1.3


class Arguments:
    """The arguments of one call. Each reader raises MethodError invalidArguments; `finish` refuses what nobody has read,
    so that a misspelled `dryRun` does not carry out what was only to be tried."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._seen: set[str] = set()

    def account(self, account_id: Id) -> None:
        """`accountId` must be the caller's own. It may be left out: there is no other one, and there are administration clients
        of this object model that never give it. Raises MethodError accountNotFound."""
        if "accountId" not in self._values:
            return
        given = self._take("accountId")
        if not isinstance(given, str):
            raise invalid_arguments("accountId must be an id that the session object lists")
        if given != account_id:
            raise MethodError("accountNotFound", "the accountId is not one that the session object lists")

    def optional_text(self, name: str) -> str | None:
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise invalid_arguments(f"{name} must be text or null")
        return value

    def text(self, name: str) -> str:
        value = self.optional_text(name)
        if value is None:
            raise invalid_arguments(f"{name} must be given")
        return value

    def optional_texts(self, name: str) -> list[str] | None:
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise invalid_arguments(f"{name} must be an array of texts, or null")
        return list(dict.fromkeys(value))

    def boolean(self, name: str, default: bool = False) -> bool:
        """A Boolean: may be left out, but not be null (RFC 8620 section 3.5)."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise invalid_arguments(f"{name} must be true or false")
        return value

    def integer(self, name: str, default: int = 0) -> int:
        """An Int: may be left out, but not be null (RFC 8620 section 3.5)."""
        return _int(name, self._take(name, default), -MAX_INT)

    def optional_integer(self, name: str, minimum: int = -MAX_INT) -> int | None:
        """An Int or null (RFC 8620 section 1.3); with a minimum of 0 or more an UnsignedInt."""
        value = self._take(name)
        return None if value is None else _int(name, value, minimum)

    def objects(self, name: str) -> dict[str, dict[str, Any]]:
        """An object whose values are objects; empty where null."""
        value = self._take(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            raise invalid_arguments(f"{name} must be an object of objects, or null")
        return value

    def creations(self, name: str) -> dict[str, dict[str, Any]]:
        """The same by creation id, which is an Id (RFC 8620 section 5.3)."""
        values = self.objects(name)
        if not all(map(is_id, values)):
            raise invalid_arguments(f"a creation id in {name} must have 1 to 255 characters of A-Z, a-z, 0-9, - and _")
        return values

    def anything(self, name: str) -> Any:
        return self._take(name)

    def finish(self) -> None:
        """Refuse arguments that are not known."""
        if unknown := sorted(self._values.keys() - self._seen):
            raise invalid_arguments(f"unknown argument {unknown[0][:64]!r}")

    def _take(self, name: str, default: object = None) -> Any:
        self._seen.add(name)
        return self._values.get(name, default)


def _int(name: str, value: object, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= MAX_INT:
        raise invalid_arguments(f"{name} must be an integer from {minimum} to {MAX_INT}")
    return value
