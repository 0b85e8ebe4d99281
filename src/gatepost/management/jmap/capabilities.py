"""The names that may stand in `using`: what is offered, and what the IANA registry of JMAP capabilities knows besides."""

from __future__ import annotations

CORE = "urn:ietf:params:jmap:core"
CONFIGURATION = "urn:stalwart:jmap"
GATEPOST = "urn:gatepost:jmap"
OFFERED = (CORE, CONFIGURATION, GATEPOST)

_REGISTERED_NAMES = (
    "mail submission vacationresponse mdn websocket smimeverify blob quota sieve contacts contacts:parse calendars "
    "calendars:parse calendars:preferences principals principals:owner principals:availability tasks tasks:recurrences "
    "tasks:assignees tasks:alerts tasks:multilingual tasks:customtimezones filenode webpush-vapid emailpush metadata "
    "refplus"
)
KNOWN = frozenset(OFFERED) | {f"urn:ietf:params:jmap:{name}" for name in _REGISTERED_NAMES.split()}
