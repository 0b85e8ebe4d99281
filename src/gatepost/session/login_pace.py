"""How long a login has to wait because of failed ones before it. Pure bookkeeping: the time comes in as an argument.

Called by `authentication` and `login_places`, and for API keys by `management.api_key_login`. What it knows is in the counter
page, so a client is judged by what it did at any worker. Reasons: ADR 0028.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv6Address, IPv6Network

from gatepost.transport.counter_page import NO_CAP, CounterPage
from gatepost.values.ip_mask import IpAddress, unmapped


@dataclass(frozen=True, slots=True)
class PaceSettings:
    """Times in seconds. `free_*`: failures that cost nothing; each one beyond doubles the delay up to `longest_delay`."""

    free_per_source: int = 10
    free_per_name: int = 3
    first_delay: float = 0.5
    longest_delay: float = 4.0
    longest_queue: float = 10.0
    forget_after: float = 900.0


class Full(Enum):
    """Who has as many attempts under way as may fail for nothing."""

    SOURCE = "source"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that is being looked at: where it is counted."""

    source_entry: int
    name_entry: int | None


class LoginPace:
    """Failed logins per source address (IPv6: per /64) and per login name, of one kind (`what`), over all workers.

    Logins from one source take turns once it has failed too often, however many connections it opens; when the queue
    gets too long they are turned away unheard. Logins of one name are only delayed, never turned away: otherwise
    anybody could lock its owner out.

    What is between `begin` and `end` may become a failure, and counts as one meanwhile. It is counted in the `row` of
    the worker, which the supervisor clears if the worker dies.
    """

    def __init__(self, page: CounterPage, row: int, what: str, settings: PaceSettings | None = None) -> None:
        self.settings = settings or PaceSettings()
        self._failures = page.failures
        self._sources = _Failures(page, row, f"{what} from ", self.settings, self.settings.free_per_source)
        self._names = _Failures(page, row, f"{what} of ", self.settings, self.settings.free_per_name)

    def begin(self, source: IpAddress, login_name: str, now: float, *, is_name_overdue: bool = False) -> Attempt | Full:
        """A password will be looked at; `end` has to follow. Or who has no room for it; nothing is counted then.

        Who has failed too often always has: then `turn` tells it to wait. `is_name_overdue`: the name's room does not matter.
        """
        with self._failures.held():
            if not self._sources.has_room(source_key(source), now):
                return Full.SOURCE
            if not (is_name_overdue or self._names.has_room(login_name, now)):
                return Full.NAME
            source_entry = self._sources.begin(source_key(source))
            if source_entry is None:
                return Full.SOURCE
            name_entry = self._names.begin(login_name)
            if name_entry is None and not is_name_overdue:
                self._sources.end(source_entry)
                return Full.NAME
            return Attempt(source_entry, name_entry)

    def end(self, attempt: Attempt) -> None:
        """Behind `failed` or `succeeded`, or where neither could be told."""
        self._sources.end(attempt.source_entry)
        if attempt.name_entry is not None:
            self._names.end(attempt.name_entry)

    def turn(self, source: IpAddress, login_name: str, now: float) -> float | None:
        """Seconds to wait before the password is looked at; None when it should not be looked at."""
        key = source_key(source)
        with self._failures.held():
            source_wait = self._sources.wait(key, now)
            if source_wait > self.settings.longest_queue:
                return None
            name_wait = min(self._names.wait(login_name, now), self.settings.longest_delay)
            self._sources.book(key, now)
            self._names.book(login_name, now)
        return max(source_wait, name_wait)

    def failed(self, source: IpAddress, login_name: str, now: float) -> None:
        """The password was wrong, or there is no such name."""
        with self._failures.held():
            self._sources.add(source_key(source), now)
            self._names.add(login_name, now)

    def succeeded(self, source: IpAddress, login_name: str) -> None:
        """The password was right: what was held against both is forgotten."""
        with self._failures.held():
            self._sources.forget(source_key(source))
            self._names.forget(login_name)


class _Failures:
    """The failures of all sources, or of all names, and how many may be about to come. Called while the table is held."""

    def __init__(self, page: CounterPage, row: int, prefix: str, settings: PaceSettings, free: int) -> None:
        self._table = page.failures
        self._under_way = page.by_key
        self._row = row
        self._prefix = prefix
        self._settings = settings
        self._free = free

    def has_room(self, key: str, now: float) -> bool:
        failures = self._failures(self._record(key, now))
        return failures >= self._free or failures + self._under_way.count(self._octets(key)) < self._free

    def begin(self, key: str) -> int | None:
        """Where it is counted; None where it cannot be."""
        return self._under_way.enter(self._octets(key), self._row, NO_CAP)

    def end(self, entry: int) -> None:
        self._under_way.leave(entry)

    def wait(self, key: str, now: float) -> float:
        record = self._record(key, now)
        return 0.0 if record is None else max(0.0, self._table.free_at(record) - now)

    def book(self, key: str, now: float) -> None:
        record = self._record(key, now)
        if record is not None:
            delay = self._delay(self._failures(record) + self._under_way.count(self._octets(key)))
            self._table.set_free_at(record, max(now, self._table.free_at(record)) + delay)

    def add(self, key: str, now: float) -> None:
        record = self._table.add(self._octets(key), now, now - self._settings.forget_after)
        free_at = now + self._delay(self._failures(record))
        self._table.set_free_at(record, max(self._table.free_at(record), free_at))

    def forget(self, key: str) -> None:
        self._table.forget(self._octets(key))

    def _record(self, key: str, now: float) -> int | None:
        return self._table.find(self._octets(key), now - self._settings.forget_after)

    def _failures(self, record: int | None) -> int:
        return 0 if record is None else self._table.failures(record)

    def _octets(self, key: str) -> bytes:
        return (self._prefix + key).encode("utf-8", "surrogatepass")

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
