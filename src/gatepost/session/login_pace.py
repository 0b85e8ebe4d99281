"""How long a login has to wait because of failed ones before it. Pure bookkeeping: the time comes in as an argument.

Called by `authentication`, and for API keys by `management.api_key_login`. Each worker counts for itself; the numbers are
chosen so that the sum over a few workers is still slow for somebody who guesses.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from gatepost.values.ip_mask import IpAddress, unmapped


@dataclass(slots=True)
class _Record:
    failures: int
    last_failure: float
    free_at: float


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """Times in seconds. `free_*`: failures that cost nothing; each one beyond doubles the delay up to `longest_delay`."""

    free_per_source: int = 10
    free_per_name: int = 3
    first_delay: float = 0.5
    longest_delay: float = 4.0
    longest_queue: float = 10.0
    forget_after: float = 900.0
    most_records: int = 10_000


class LoginPace:
    """Failed logins per source address (IPv6: per /64) and per login name.

    Logins from one source take turns once it has failed too often, however many connections it opens; when the queue
    gets too long they are turned away unheard. Logins of one name are only delayed, never turned away: otherwise
    anybody could lock its owner out.

    What is between `begin` and `end` may become a failure, and counts as one meanwhile.
    """

    def __init__(self, settings: PaceSettings | None = None) -> None:
        self.settings = settings or PaceSettings()
        self._sources = _Failures(self.settings, self.settings.free_per_source)
        self._names = _Failures(self.settings, self.settings.free_per_name)

    def source_has_room(self, source: IpAddress, now: float) -> bool:
        """Whether one more may begin. Who has failed too often always may: then `turn` tells it to wait."""
        return self._sources.has_room(source_key(source), now)

    def name_has_room(self, login_name: str, now: float) -> bool:
        """The same for a login name."""
        return self._names.has_room(login_name, now)

    def begin(self, source: IpAddress, login_name: str) -> None:
        """A password will be looked at; `end` has to follow."""
        self._sources.under_way[source_key(source)] += 1
        self._names.under_way[login_name] += 1

    def end(self, source: IpAddress, login_name: str) -> None:
        """Behind `failed` or `succeeded`, or where neither could be told."""
        self._sources.end(source_key(source))
        self._names.end(login_name)

    def turn(self, source: IpAddress, login_name: str, now: float) -> float | None:
        """Seconds to wait before the password is looked at; None when it should not be looked at."""
        key = source_key(source)
        source_wait = self._sources.wait(key, now)
        if source_wait > self.settings.longest_queue:
            return None
        name_wait = min(self._names.wait(login_name, now), self.settings.longest_delay)
        self._sources.book(key, now)
        self._names.book(login_name, now)
        return max(source_wait, name_wait)

    def failed(self, source: IpAddress, login_name: str, now: float) -> None:
        """The password was wrong, or there is no such name."""
        self._sources.add(source_key(source), now)
        self._names.add(login_name, now)

    def succeeded(self, source: IpAddress, login_name: str) -> None:
        """The password was right: what was held against both is forgotten."""
        self._sources.forget(source_key(source))
        self._names.forget(login_name)


class _Failures:
    """A bounded table of failures; the record that was touched longest ago goes first. And how many may be about to come."""

    def __init__(self, settings: PaceSettings, free: int) -> None:
        self._settings = settings
        self._free = free
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self.under_way: Counter[str] = Counter()

    def has_room(self, key: str, now: float) -> bool:
        record = self._current(key, now)
        failures = record.failures if record else 0
        return failures >= self._free or failures + self.under_way[key] < self._free

    def end(self, key: str) -> None:
        self.under_way[key] -= 1
        if not self.under_way[key]:
            del self.under_way[key]

    def wait(self, key: str, now: float) -> float:
        record = self._current(key, now)
        return max(0.0, record.free_at - now) if record else 0.0

    def book(self, key: str, now: float) -> None:
        record = self._current(key, now)
        if record is not None:
            record.free_at = max(now, record.free_at) + self._delay(record.failures + self.under_way[key])

    def add(self, key: str, now: float) -> None:
        record = self._current(key, now) or _Record(0, now, now)
        record.failures += 1
        record.last_failure = now
        record.free_at = max(record.free_at, now + self._delay(record.failures))
        self._records[key] = record
        self._records.move_to_end(key)
        if len(self._records) > self._settings.most_records:
            self._records.popitem(last=False)

    def forget(self, key: str) -> None:
        self._records.pop(key, None)

    def _current(self, key: str, now: float) -> _Record | None:
        record = self._records.get(key)
        if record is not None and now - record.last_failure > self._settings.forget_after:
            del self._records[key]
            return None
        return record

    def _delay(self, failures: int) -> float:
        if failures < self._free:
            return 0.0
        doublings = min(failures - self._free, 16)
        return min(self._settings.first_delay * 2.0**doublings, self._settings.longest_delay)


def source_key(source: IpAddress) -> str:
    """What counts as one source."""
    address = unmapped(source)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)
