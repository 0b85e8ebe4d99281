"""BlockedIp and AllowedIp: networks that clients may not come from, and those that may in any case. Declarations only. Pure.

What is said here holds for new connections at all listeners from the moment on at which the change is answered. An
AllowedIp wins over every BlockedIp, whichever network is the larger one. One whose time is over says nothing any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from gatepost.registry.declaration import (
    Effect,
    FormSection,
    ListView,
    MenuPlace,
    ObjectType,
    Property,
    declared_properties,
)
from gatepost.registry.kinds import Boolean, UtcDateTime, ip_mask_kind
from gatepost.registry.names import remark_kind
from gatepost.values.ip_mask import IpMask

_REASON = Property(
    kind=remark_kind(),
    label="Reason",
    help="For people: why the network is listed, and who asked for it.",
)
_EXPIRES_AT = Property(
    kind=UtcDateTime(),
    label="Until",
    help="When this ends by itself. The object stays in the list until somebody removes it. Empty: it does not end.",
    effect=Effect.NOW,
)


class BlockedIp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A network whose clients are refused."""

    network: Annotated[
        IpMask,
        Property(
            kind=ip_mask_kind(),
            label="Network",
            help="An address or a network. New connections from it are closed at once, at every listener. Behind a trusted "
            "proxy, the address in the PROXY header is what counts.",
            effect=Effect.NOW,
        ),
    ]
    reason: Annotated[str | None, _REASON] = None
    expires_at: Annotated[datetime | None, _EXPIRES_AT] = None
    end_connections: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="End open connections",
            help="Also end the connections from the network that are open when the block comes into force: clients are told "
            "in the words of their protocol.",
            effect=Effect.NOW,
        ),
    ] = False


class AllowedIp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A network whose clients are never refused because of a BlockedIp."""

    network: Annotated[
        IpMask,
        Property(
            kind=ip_mask_kind(),
            label="Network",
            help="An address or a network. Its clients may connect whatever blocked networks it lies in.",
            effect=Effect.NOW,
        ),
    ]
    reason: Annotated[str | None, _REASON] = None
    expires_at: Annotated[datetime | None, _EXPIRES_AT] = None


BLOCKED_IP = ObjectType(
    name="BlockedIp",
    struct=BlockedIp,
    properties=declared_properties(BlockedIp),
    description="A network whose clients are refused as soon as they connect.",
    form=(FormSection("Blocked network", ("network", "reason", "expiresAt", "endConnections")),),
    list_view=ListView(
        title="Blocked networks",
        subtitle="Whose clients are refused as soon as they connect",
        singular="blocked network",
        plural="blocked networks",
        label_property="network",
        columns=("network", "reason", "expiresAt", "endConnections"),
        filters=("network", "reason", "expiresAt"),
    ),
    menu=MenuPlace("Settings", "settings", "Network", "network", "Blocked networks"),
    unique_key=lambda blocked: str(blocked.network),
)

ALLOWED_IP = ObjectType(
    name="AllowedIp",
    struct=AllowedIp,
    properties=declared_properties(AllowedIp),
    description="A network whose clients are served whatever blocked network it lies in.",
    form=(FormSection("Allowed network", ("network", "reason", "expiresAt")),),
    list_view=ListView(
        title="Allowed networks",
        subtitle="Whose clients are served whatever is blocked",
        singular="allowed network",
        plural="allowed networks",
        label_property="network",
        columns=("network", "reason", "expiresAt"),
        filters=("network", "reason", "expiresAt"),
    ),
    menu=MenuPlace("Settings", "settings", "Network", "network", "Allowed networks"),
    unique_key=lambda allowed: str(allowed.network),
)
