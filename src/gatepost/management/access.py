"""Who calls, and what that caller may do: one permission per object type and verb. Pure.

Roles: admin may do everything; operator sees everything and changes listeners and certificates; everybody may see the
own account and change what is marked as the owner's (password, description).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from gatepost.registry.account import ACCOUNT, Role
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress


class Verb(Enum):
    """What a permission is about; the value ends its name."""

    GET = "Get"
    QUERY = "Query"
    CREATE = "Create"
    UPDATE = "Update"
    DESTROY = "Destroy"


class Scope(Enum):
    """On which objects a caller may use a verb."""

    ALL = "all"
    OWN = "own"  # of accounts: the caller's
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and the way it came."""

    account_id: Id
    login_name: str
    role: Role
    listener_id: Id | None = None
    source_address: IpAddress | None = None


_READING = frozenset({Verb.GET, Verb.QUERY})
_OPERATED = frozenset({NETWORK_LISTENER.name, CERTIFICATE.name})
_OWN_VERBS = frozenset({Verb.GET, Verb.QUERY, Verb.UPDATE})


def scope(role: Role, type_name: str, verb: Verb) -> Scope:
    """On which objects of the type (name without `x:`) somebody with that role may use the verb."""
    if role is Role.ADMIN:
        return Scope.ALL
    if role is Role.OPERATOR and (verb in _READING or type_name in _OPERATED):
        return Scope.ALL
    if type_name == ACCOUNT.name and verb in _OWN_VERBS:
        return Scope.OWN
    return Scope.NONE


def permission_name(type_name: str, verb: Verb) -> str:
    """`sysNetworkListenerGet`."""
    return f"sys{type_name}{verb.value}"


def permissions(role: Role, type_names: list[str]) -> list[str]:
    """The names of all permissions that are not limited to the own account."""
    return [
        permission_name(type_name, verb)
        for type_name in type_names
        for verb in Verb
        if scope(role, type_name, verb) is Scope.ALL
    ]
