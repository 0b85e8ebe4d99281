"""status --watch: the listeners again and again, with what happened since the last look.

A server that does not answer for a while (it is restarted, say) is told so and asked again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatepost.cli.failure import CommandError
from gatepost.cli.output import Output

Statuses = Sequence[Mapping[str, Any]]

_TITLES = ("Name", "State", "Connections", "Accepted/s", "Refused/s", "Received/s", "Sent/s")


def watch(output: Output, look: Callable[[], Statuses], *, interval: float, count: int | None) -> None:
    """Look every `interval` seconds, `count` times or until Ctrl-C. Raises CommandError where the first look fails."""
    before, looked_at = look(), time.monotonic()
    output.document([{**each, "rates": None} for each in before])
    looks = 1
    try:
        with output.redrawn() as draw:
            draw(_TITLES, [_cells(each, None) for each in before], "")
            while count is None or looks < count:
                time.sleep(interval)
                looks += 1
                try:
                    after, now = look(), time.monotonic()
                except CommandError as error:
                    draw(_TITLES, [_cells(each, None) for each in before], f"{error}; trying again")
                    continue
                rates = rates_between(before, after, now - looked_at)
                output.document([{**each, "rates": rates.get(str(each.get("name")))} for each in after])
                draw(_TITLES, [_cells(each, rates.get(str(each.get("name")))) for each in after], "")
                before, looked_at = after, now
    except KeyboardInterrupt:
        return


def rates_between(before: Statuses, after: Statuses, seconds: float) -> dict[str, dict[str, float]]:
    """What happened in a second, by name of the listener; a listener that is new, or whose counts began anew, is left out."""
    known = {str(each.get("name")): _counts(each) for each in before}
    rates: dict[str, dict[str, float]] = {}
    for each in after:
        name, counts = str(each.get("name")), _counts(each)
        earlier = known.get(name)
        if earlier is not None and all(counts[key] >= earlier[key] for key in counts):
            rates[name] = {key: round((counts[key] - earlier[key]) / max(seconds, 0.001), 1) for key in counts}
    return rates


def _counts(listener: Mapping[str, Any]) -> dict[str, int]:
    return {
        "accepted": int(listener.get("accepted") or 0),
        "refused": sum((listener.get("refused") or {}).values()),
        "bytesReceived": int(listener.get("bytesReceived") or 0),
        "bytesSent": int(listener.get("bytesSent") or 0),
    }


def _cells(listener: Mapping[str, Any], rates: Mapping[str, float] | None) -> list[str]:
    named = [str(listener.get("name")), str(listener.get("state", "unknown")), str(listener.get("connections", 0))]
    if rates is None:
        return [*named, "-", "-", "-", "-"]
    octets = (_octets(rates["bytesReceived"]), _octets(rates["bytesSent"]))
    return [*named, f"{rates['accepted']:g}", f"{rates['refused']:g}", *octets]


def _octets(number: float) -> str:
    """`812`, `12.3 K`, `4.0 M` octets."""
    for unit in ("", " K", " M"):
        if number < 1000:
            return f"{number:.0f}" if not unit else f"{number:.1f}{unit}"
        number /= 1000
    return f"{number:.1f} G"
