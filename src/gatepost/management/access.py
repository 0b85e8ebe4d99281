"""Who calls, and what that caller may do. Pure.

What roles may do is in `registry/permissions.py`; who comes with an API key may do what both the account and the key may.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatepost.management.jmap.failure import MethodError
from gatepost.registry.account import Role
from gatepost.registry.api_key import ApiKey
from gatepost.registry.permissions import Scope, Verb, permission_name, role_scope
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and the way it came. `key`: the API key that it came with."""

    account_id: Id
    login_name: str
    role: Role
    listener_id: Id | None = None
    source_address: IpAddress | None = None
    connection_address: IpAddress | None = None  # another one where an HTTP proxy passed the request on
    key: ApiKey | None = None

    def scope(self, type_name: str, verb: Verb) -> Scope:
        """On which objects of the type (name without `x:`) the caller may use the verb."""
        granted = None if self.key is None else self.key.permissions
        if granted is not None and permission_name(type_name, verb) not in granted:
            return Scope.NONE
        return role_scope(self.role, type_name, verb)

    def permissions(self, type_names: Iterable[str], scope: Scope) -> list[str]:
        """The names of the permissions that the caller has on that scope."""
        return [
            permission_name(type_name, verb)
            for type_name in type_names
            for verb in Verb
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
