"""Who calls, and what that caller may do. Pure.

What roles may do is in `registry/permissions.py`; who comes with an API key may do what both the account and the key may.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gatepost.management.jmap.failure import MethodError
from gatepost.registry.account import Role
from gatepost.registry.api_key import ApiKey
from gatepost.registry.permissions import Scope, Verb, permission_name, role_scope, useful_verbs
from gatepost.registry.requester import Requester, RequestWay
from gatepost.values.ids import Id


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
        granted = None if self.key is None else self.key.permissions
        if granted is not None and permission_name(type_name, verb) not in granted:
            return Scope.NONE
        return role_scope(self.role, type_name, verb)

    def permissions(self, type_names: Iterable[str], scope: Scope) -> list[str]:
        """The names of the permissions that the caller has on that scope, and that are of use."""
        return [
            permission_name(type_name, verb)
            for type_name in type_names
            for verb in useful_verbs(type_name)
            if self.scope(type_name, verb) is scope
        ]


def demand(caller: Caller, type_name: str, verb: Verb) -> Scope:
    """Where the caller may use the verb. Raises MethodError forbidden where nowhere. Called before anything is read."""
    allowed = caller.scope(type_name, verb)
    if allowed is Scope.NONE:
        whose = "account" if caller.key is None else "API key"
        name = permission_name(type_name, verb)
        raise MethodError("forbidden", f"the permission {name} is needed, and the {whose} does not have it")
    return allowed
