"""Who calls, and what that caller may do. Pure.

What roles may do is in `registry/permissions.py`; who comes with an API key may do what both the account and the key may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from gatepost.management.jmap.capabilities import CONFIGURATION, CORE, GATEPOST
from gatepost.management.jmap.failure import MethodError
from gatepost.registry.account import Role
from gatepost.registry.api_key import ApiKey
from gatepost.registry.catalogue import OBJECT_TYPES, READ_ONLY_TYPES
from gatepost.registry.permissions import Scope, Verb, permission_name, role_scope, useful_verbs
from gatepost.registry.requester import Requester, RequestWay
from gatepost.values.ids import Id

# By the name of an object type (without `x:`): the capability that its methods belong to.
CAPABILITY_OF_TYPE: Mapping[str, str] = {
    **dict.fromkeys(OBJECT_TYPES, CONFIGURATION),
    **dict.fromkeys(READ_ONLY_TYPES, GATEPOST),
}
_CHANGING = (Verb.CREATE, Verb.UPDATE, Verb.DESTROY)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the Session object tells of an account: the capabilities of which it can use any method, and whether it can change
    nothing at all (RFC 8620 section 2)."""

    capabilities: tuple[str, ...]
    is_read_only: bool


class Caller(msgspec.Struct, frozen=True):
    """Who makes a request, and the way it came. `key`: the API key that it came with, and its id."""

    account_id: Id
    login_name: str
    role: Role
    way: RequestWay = msgspec.field(default_factory=RequestWay)
    key: ApiKey | None = None
    key_id: Id | None = None

    @property
    def requester(self) -> Requester:
        """The same as the rules of the registry see it."""
        return Requester(self.account_id, self.key_id, self.key, self.way)

    def scope(self, type_name: str, verb: Verb) -> Scope:
        """On which objects of the type (name without `x:`) the caller may use the verb."""
        return _scope(self.role, self.granted, type_name, verb)

    @property
    def granted(self) -> tuple[str, ...] | None:
        """The permissions that the API key has been given; None: all of its account's, as without a key."""
        return None if self.key is None else self.key.permissions

    @property
    def abilities(self) -> Abilities:
        """What the caller can do at all."""
        return abilities_of(self.role, self.granted)

    def permissions(self, type_names: Iterable[str], scope: Scope) -> list[str]:
        """The names of the permissions that the caller has on that scope, and that are of use."""
        return [
            permission_name(type_name, verb)
            for type_name in type_names
            for verb in useful_verbs(type_name)
            if self.scope(type_name, verb) is scope
        ]


def _scope(role: Role, granted: tuple[str, ...] | None, type_name: str, verb: Verb) -> Scope:
    if granted is not None and permission_name(type_name, verb) not in granted:
        return Scope.NONE
    return role_scope(role, type_name, verb)


@lru_cache(maxsize=256)
def abilities_of(role: Role, granted: tuple[str, ...] | None) -> Abilities:
    """What somebody with that role can do with those permissions (None: all that the role has)."""
    usable = [
        (type_name, verb)
        for type_name in CAPABILITY_OF_TYPE
        for verb in useful_verbs(type_name)
        if _scope(role, granted, type_name, verb) is not Scope.NONE
    ]
    capabilities = dict.fromkeys([CORE, *(CAPABILITY_OF_TYPE[type_name] for type_name, _ in usable)])
    return Abilities(tuple(capabilities), all(verb not in _CHANGING for _, verb in usable))


def demand(caller: Caller, type_name: str, verb: Verb) -> Scope:
    """Where the caller may use the verb. Raises MethodError where nowhere: accountNotSupportedByMethod, accountReadOnly or
    forbidden (RFC 8620 section 3.6.2). Called before anything is read."""
    allowed = caller.scope(type_name, verb)
    if allowed is Scope.NONE:
        whose = "account" if caller.key is None else "API key"
        name = permission_name(type_name, verb)
        kind = _kind_of_refusal(caller.abilities, type_name, verb)
        raise MethodError(kind, f"the permission {name} is needed, and the {whose} does not have it")
    return allowed


def _kind_of_refusal(abilities: Abilities, type_name: str, verb: Verb) -> str:
    """As the Session object has told it."""
    if CAPABILITY_OF_TYPE[type_name] not in abilities.capabilities:
        return "accountNotSupportedByMethod"
    return "accountReadOnly" if abilities.is_read_only and verb in _CHANGING else "forbidden"
