"""Changes of a configuration for the tests of rules, and what is found about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.registry.account import Account
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.certificate import Certificate
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.network_listener import NetworkListener, NetworkListenerProtocol
from gatepost.registry.rules.every_rule import findings
from gatepost.registry.rules.finding import Finding, Unfit
from gatepost.registry.system_settings import SystemSettings
from gatepost.registry.tls import KeyType
from gatepost.values.ids import Id
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

HTTP = NetworkListenerProtocol.HTTP
Objects = Mapping[str, Mapping[str, Any]]


def listener(name: str, *addresses: str, **fields: Any) -> NetworkListener:
    bind = tuple(SocketAddress.parse(address) for address in addresses)
    return NetworkListener(**{"name": name, "bind": bind, "use_tls": False, **fields})


def certificate(key_type: KeyType = KeyType.ECDSA, **fields: Any) -> Certificate:
    return Certificate(certificate="chain", private_key=Secret("key"), key_type=key_type, **fields)


def account(name: str, domain: str | None = "d1", **fields: Any) -> Account:
    return Account(name=name, domain_id=Id(domain) if domain else None, password=Secret("hash"), **fields)


def configuration(objects: Objects) -> Configuration:
    by_type = {name: {Id(each): value for each, value in objects.get(name, {}).items()} for name in OBJECT_TYPES}
    by_type["SystemSettings"].setdefault(Id("singleton"), SystemSettings())
    return Configuration(by_type)


def change(before: Objects, changes: Objects, **more: Any) -> list[Finding]:
    """What is found about a change; None as the new value destroys."""
    old = configuration(before)
    new, touched = old, []
    for type_name, objects in changes.items():
        for object_id, value in objects.items():
            ref = ObjectRef(type_name, Id(object_id))
            new = new.replace(ref, value)
            touched.append(ref)
    return findings(Proposal(before=old, after=new, touched=tuple(touched), **more))


def blamed(found: list[Finding]) -> list[tuple[str, str]]:
    return [(str(each.ref.id), each.problem.property) for each in found if isinstance(each, Unfit)]
