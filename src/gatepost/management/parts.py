"""What the management application is made of. `compose` fills this in; tests fill it with fakes."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gatepost.management.applying import Applier
from gatepost.management.event_stream_limits import EventStreamLimits
from gatepost.management.jmap.limits import Limits
from gatepost.management.open_connections import OpenConnections
from gatepost.management.request_turns import RequestTurns
from gatepost.management.state_watch import StateWatch
from gatepost.plan.plan import Plan
from gatepost.session.login_pace import LoginPace
from gatepost.session.login_waits import LoginWaits
from gatepost.session.reactions import Authenticator
from gatepost.store.interface import ConfigurationStore
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress
from gatepost.values.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementParts:
    """`session_key`: the same secret in every worker, at least 32 random characters; whoever has it can sign in.

    `running_plan` gives the plan that this worker runs now; `now` the time in UTC; `make_id` a new random id.
    `is_blocked` tells whether clients of an address are refused now.
    `hash_to_store(password, present_hash)` must not block; `delete_account_mail` removes all mail and scripts of an account."""

    store: ConfigurationStore
    applier: Applier
    connections: OpenConnections
    request_turns: RequestTurns
    authenticator: Authenticator
    api_key_pace: LoginPace
    login_waits: LoginWaits
    hash_to_store: Callable[[Secret, Secret | None], Awaitable[Secret]]
    delete_account_mail: Callable[[Id], Awaitable[None]]
    session_key: Secret
    running_plan: Callable[[], Plan]
    is_blocked: Callable[[IpAddress], bool]
    now: Callable[[], datetime]
    make_id: Callable[[], Id]
    web_ui: Path  # the folder with index.html
    state_watch: StateWatch = field(default_factory=StateWatch)
    random_octets: Callable[[int], bytes] = secrets.token_bytes
    limits: Limits = field(default_factory=Limits)
    event_stream_limits: EventStreamLimits = field(default_factory=EventStreamLimits)
