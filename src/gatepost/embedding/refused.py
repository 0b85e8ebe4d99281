"""What a program is told when what it asks for cannot be done. Nothing has changed then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong with one field of one listener (or of the settings). `errno_name`: why an address cannot be bound,
    `EADDRINUSE`."""

    name: str
    field: str
    description: str
    errno_name: str | None = None

    def __str__(self) -> str:
        return f"{self.name}.{self.field}: {self.description}"


def name_taken(name: str) -> Objection:
    """There cannot be two of them."""
    return Objection(name, "name", "there is a listener of this name")


class Refused(ValueError):
    """The listeners cannot be as they were asked for. All objections at once; nothing has changed, nothing is bound."""

    def __init__(self, *objections: Objection) -> None:
        super().__init__("; ".join(str(objection) for objection in objections))
        self.objections = objections
