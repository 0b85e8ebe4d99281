"""The one table that a run prints."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.pairs import Contestant, ratios

_HEADER = ("measured", "gatepost", "compared with", "ratio (range)", "errors")


@dataclass(frozen=True, slots=True)
class Row:
    """One line. A line with errors is no result, and says so."""

    what: str
    ours: str
    peers: str = ""
    ratio: str = ""
    errors: int = 0
    is_missing: bool = False

    @property
    def cells(self) -> tuple[str, ...]:
        """As shown."""
        if self.errors:
            return (self.what, "no result", self.peers, "", str(self.errors))
        return (self.what, self.ours, self.peers, self.ratio, "0")


def figure(value: float) -> str:
    """Three digits are more than such a machine gives."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; 1.0 gives the worst."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def comparison(what: str, unit: str, ours: Contestant, peers: Sequence[Contestant]) -> list[Row]:
    """A line for each peer, with the medians and the ratio of the pairs."""
    rows = []
    for peer in peers:
        between = ratios(ours, peer)
        ratio = f"{statistics.median(between):.2f} ({between[0]:.2f}-{between[-1]:.2f})"
        names = (f"{figure(ours.median)} {unit}", f"{peer.name} {figure(peer.median)} {unit}")
        rows.append(Row(what, *names, ratio, ours.errors + peer.errors))
    return rows


def missing(what: str, peer: str, reason: Exception) -> Row:
    """A line for a peer that is not there."""
    sys.stderr.write(f"{peer}: {reason}\n")
    return Row(what, "", peer, "not measured", is_missing=True)


def render(rows: Sequence[Row]) -> str:
    """As a Markdown table whose columns are aligned for the eye."""
    cells = [_HEADER, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
