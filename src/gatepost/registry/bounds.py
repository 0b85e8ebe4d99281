"""Lengths and ranges that a value must keep to. Called by the kinds of values. Pure."""

from __future__ import annotations

from gatepost.registry.problem import Fault, ProblemType, UnfitValueError, as_text


def check_length(text: str, minimum: int, maximum: int, shown: str | None) -> None:
    """Raises UnfitValueError when `text` has fewer or more characters; an empty text that must not be is missing."""
    if len(text) < minimum:
        words = "must not be empty" if not text else f"must have at least {minimum} characters"
        raise UnfitValueError(Fault(ProblemType.MIN_LENGTH, words, shown, minimum))
    if len(text) > maximum:
        raise UnfitValueError(Fault(ProblemType.MAX_LENGTH, f"must have at most {maximum} characters", shown, maximum))


def check_range(number: int, minimum: int, maximum: int) -> None:
    """Raises UnfitValueError when `number` lies outside."""
    if number < minimum:
        raise UnfitValueError(Fault(ProblemType.MIN_VALUE, f"must be {minimum} or more", as_text(number), minimum))
    if number > maximum:
        raise UnfitValueError(Fault(ProblemType.MAX_VALUE, f"must be {maximum} or less", as_text(number), maximum))
