"""Comparing: A B A B …, so that whatever disturbs the machine disturbs both, and the ratio of each pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Measured = Callable[[], tuple[float, int]]  # a figure per unit of work, and the number of errors


@dataclass(slots=True)
class Contestant:
    """Somebody who is measured. `figures` has one entry for each round after the warm-up."""

    name: str
    measure: Measured
    figures: list[float] = field(default_factory=list)
    errors: int = 0

    @property
    def median(self) -> float:
        """Of the figures."""
        return statistics.median(self.figures)


def interleave(contestants: Sequence[Contestant], rounds: int) -> None:
    """One warm-up each, then `rounds` times each in turn."""
    for round_number in range(rounds + 1):
        for contestant in contestants:
            figure, errors = contestant.measure()
            contestant.errors += errors
            if round_number > 0:
                contestant.figures.append(figure)


def ratios(ours: Contestant, peers: Contestant) -> list[float]:
    """Ours by theirs, pair by pair, in rising order."""
    return sorted(our / their for our, their in zip(ours.figures, peers.figures, strict=True))
