"""Dates of IMAP: `17-Jul-1996 02:44:25 -0700` (RFC 3501 section 9, date-time and date). English in every locale."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

from gatepost.protocols.imap.errors import BadSyntax

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DATE = re.compile(rb"(\d{1,2})-([A-Za-z]{3})-(\d{4})\Z")
_DATE_TIME = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\Z")


def parse_date(text: bytes) -> date:
    """Raises BadSyntax."""
    found = _DATE.match(text)
    if found is None:
        raise BadSyntax("Invalid date")
    try:
        return date(int(found.group(3)), _month(found.group(2)), int(found.group(1)))
    except ValueError:
        raise BadSyntax("Invalid date") from None


def parse_date_time(text: bytes) -> datetime:
    """With the zone that was given. Raises BadSyntax."""
    found = _DATE_TIME.match(text)
    if found is None:
        raise BadSyntax("Invalid date-time")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone = timezone(-offset if sign == b"-" else offset)
        leap = 1 if second == b"60" else 0
        moment = datetime(int(year), _month(month), int(day), int(hour), int(minute), int(second) - leap, tzinfo=zone)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadSyntax("Invalid date-time") from None
    return moment


def format_date_time(moment: datetime) -> bytes:
    """Quoted, in its own zone; a naive one is UTC."""
    offset = moment.utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return (
        f'"{moment.day:02}-{MONTHS[moment.month - 1]}-{moment.year:04} {moment:%H:%M:%S} '
        f'{sign}{minutes // 60:02}{minutes % 60:02}"'
    ).encode()


def _month(name: bytes) -> int:
    return MONTHS.index(name.decode().capitalize()) + 1
