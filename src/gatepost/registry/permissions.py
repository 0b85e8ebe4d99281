"""What each role may do: one permission per object type and verb. Read by the management API, which adds who asks, and by
the rules about API keys. Pure.

Roles: admin may do everything; operator sees everything, changes listeners and certificates and reverts such changes;
everybody may see the own account, change what is marked as the owner's (password, description), and manage API keys of the
own account.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from gatepost.registry.account import Role
from gatepost.registry.kinds import Kind
from gatepost.registry.problem import as_text, invalid


class Verb(Enum):
    """What a permission is about; the value ends its name."""

    GET = "Get"
    QUERY = "Query"
    CREATE = "Create"
    UPDATE = "Update"
    DESTROY = "Destroy"


class Scope(Enum):
    """On which objects a verb may be used."""

    ALL = "all"
    OWN = "own"  # the account of who asks, and what belongs to it
    NONE = "none"


# All types of objects of the API by name, stored or not, with what the permissions are called in forms.
TYPE_LABELS = {
    "NetworkListener": "Listeners",
    "SystemSettings": "Server settings",
    "Certificate": "Certificates",
    "Domain": "Domains",
    "Account": "Accounts",
    "ApiKey": "API keys",
    "BlockedIp": "Blocked networks",
    "AllowedIp": "Allowed networks",
    "ListenerStatus": "Status of listeners",
    "Connection": "Open connections",
    "Change": "History",
}

_VERB_LABELS = {
    Verb.GET: "see",
    Verb.QUERY: "search",
    Verb.CREATE: "create",
    Verb.UPDATE: "change",
    Verb.DESTROY: "remove",
}
# Verbs that do nothing with objects of these types: nobody is offered a permission for them.
_WITHOUT_USE = {
    "SystemSettings": frozenset({Verb.CREATE, Verb.DESTROY}),
    "ListenerStatus": frozenset({Verb.CREATE, Verb.UPDATE, Verb.DESTROY}),
    "Connection": frozenset({Verb.CREATE, Verb.UPDATE}),
    "Change": frozenset({Verb.UPDATE, Verb.DESTROY}),
}
_READING = frozenset({Verb.GET, Verb.QUERY})
_OPERATED = {
    "NetworkListener": frozenset(Verb),
    "Certificate": frozenset(Verb),
    "Change": frozenset({Verb.CREATE}),  # to revert what may be changed
}
_OWN = {
    "Account": frozenset({Verb.GET, Verb.QUERY, Verb.UPDATE}),
    "ApiKey": frozenset(Verb),
}


def role_scope(role: Role, type_name: str, verb: Verb) -> Scope:
    """On which objects of the type (name without `x:`) somebody with that role may use the verb."""
    if role is Role.ADMIN:
        return Scope.ALL
    if role is Role.OPERATOR and (verb in _READING or verb in _OPERATED.get(type_name, ())):
        return Scope.ALL
    return Scope.OWN if verb in _OWN.get(type_name, ()) else Scope.NONE


def useful_verbs(type_name: str) -> list[Verb]:
    """What can be done with objects of the type."""
    return [verb for verb in Verb if verb not in _WITHOUT_USE.get(type_name, ())]


def permission_name(type_name: str, verb: Verb) -> str:
    """`sysNetworkListenerGet`."""
    return f"sys{type_name}{verb.value}"


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission, and its name for people."""

    type_name: str
    verb: Verb

    @property
    def name(self) -> str:
        return permission_name(self.type_name, self.verb)

    @property
    def label(self) -> str:
        return f"{TYPE_LABELS[self.type_name]}: {_VERB_LABELS[self.verb]}"


def _every_permission() -> Iterator[Permission]:
    for type_name in TYPE_LABELS:
        for verb in Verb:
            yield Permission(type_name, verb)


PERMISSIONS = {permission.name: permission for permission in _every_permission()}


@dataclass(frozen=True, slots=True)
class PermissionName(Kind[str]):
    """The name of a permission. Those that are of no use are taken, and not among the choices."""

    @property
    def stand_in(self) -> str:
        raise TypeError("a permission stands only in sets")

    def parse(self, wire: object) -> str:
        if not isinstance(wire, str) or wire not in PERMISSIONS:
            words = "is no permission; write them like sysNetworkListenerGet (Get, Query, Create, Update, Destroy)"
            raise invalid(f"{as_text(wire)!r} {words}", wire)
        return wire

    def to_wire(self, value: str) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "enum", "enumName": "Permission"}

    def choices(self) -> list[tuple[str, str]]:
        return [
            (name, permission.label)
            for name, permission in PERMISSIONS.items()
            if permission.verb in useful_verbs(permission.type_name)
        ]
