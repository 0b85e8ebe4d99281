"""What can be wrong with a value: the kinds of a validation error, and how a decoder of values reports them.

Used by the kinds of values (`kinds.py`), the validation of objects and the rules between objects. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ProblemType(Enum):
    """The type of a validation error, by its wire name."""

    REQUIRED = "Required"
    MIN_LENGTH = "MinLength"
    MAX_LENGTH = "MaxLength"
    MIN_VALUE = "MinValue"
    MAX_VALUE = "MaxValue"
    INVALID = "Invalid"
    UNKNOWN = "Unknown"
    IMMUTABLE = "Immutable"
    SERVER_SET = "ServerSet"
    CONFLICT = "Conflict"


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a value cannot be taken. `value`: the offending value as text, never that of a secret."""

    type: ProblemType
    description: str
    value: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of one property of an object; `property` is its wire name."""

    property: str
    type: ProblemType
    description: str
    value: str | None = None
    limit: int | None = None

    @classmethod
    def of(cls, property_name: str, fault: Fault) -> Problem:
        """The problem that a fault is for this property."""
        return cls(property_name, fault.type, fault.description, fault.value, fault.limit)


class UnfitValueError(ValueError):
    """A wire value that a kind does not take, with all reasons."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.description for fault in faults))
        self.faults = faults


def as_text(value: object) -> str:
    """A short text that shows a wire value in an error."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def invalid(description: str, value: object = None) -> UnfitValueError:
    """The error for a value that is of the wrong form."""
    return UnfitValueError(Fault(ProblemType.INVALID, description, None if value is None else as_text(value)))
