"""Listeners as a Python program writes them down, and how they become objects of the registry.

The fields are those of a NetworkListener and of the SystemSettings, under their Python names; what they take, mean and default
to is declared there alone. Reads the clock, for the registry's sake, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypedDict, TypeVar, Unpack

import msgspec

from gatepost.embedding.refused import Objection, Refused
from gatepost.embedding.smtp_handler import Address
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.patch import candidate_of_update
from gatepost.registry.problem import Problem
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.registry.validation import Candidate, candidate_of_create
from gatepost.values.ids import Id
from gatepost.values.socket_address import SocketAddress

T = TypeVar("T", bound=msgspec.Struct)

_PYTHON_NAMES = {
    name: declared.field_name
    for properties in (SYSTEM_SETTINGS.properties, NETWORK_LISTENER.properties)
    for name, declared in properties.items()
}

Protocol = Literal["smtp", "lmtp", "http", "imap", "pop3", "manageSieve"]
Duration = timedelta | str | int
"""A time: a timedelta, text like `500ms`, `90s` or `1h30m`, or milliseconds."""


class ListenerFields(TypedDict, total=False):
    """Everything about a listener but its name and its addresses; see docs/listener-fields.md. None: no limit, or the kernel's
    own value."""

    protocol: Protocol
    override_proxy_trusted_networks: Collection[str]
    socket_backlog: int | None
    socket_no_delay: bool
    socket_receive_buffer_size: int | None
    socket_reuse_address: bool
    socket_reuse_port: bool
    socket_send_buffer_size: int | None
    socket_tos_v4: int | None
    socket_ttl: int | None
    use_tls: bool
    tls_disable_cipher_suites: Collection[str]
    tls_disable_protocols: Collection[Literal["tls12", "tls13"]]
    tls_ignore_client_order: bool
    tls_implicit: bool
    tls_timeout: Duration | None
    max_connections: int | None


class Settings(TypedDict, total=False):
    """What holds for all listeners together; see SystemSettings in docs/api.md. There is one worker: the process."""

    default_hostname: str
    max_connections: int
    max_connections_per_address: int | None
    proxy_trusted_networks: Collection[str]
    proxy_header_timeout: Duration
    drain_timeout: Duration | None
    max_message_size: int


class Listener:
    """One listener. Port 0 asks the system for a free port; `server.address(name)` tells which it is.

    >>> Listener(name="in", protocol="smtp", bind=["127.0.0.1:0"], max_connections=10)
    Listener(name='in', bind=('127.0.0.1:0',), protocol='smtp', max_connections=10)
    """

    def __init__(self, *, name: str, bind: Collection[str | Address], **fields: Unpack[ListenerFields]) -> None:
        self.name = name
        self.bind = _several(bind)
        self.fields = fields

    def __repr__(self) -> str:
        fields = "".join(f", {name}={value!r}" for name, value in self.fields.items())
        return f"Listener(name={self.name!r}, bind={self.bind!r}{fields})"


def new_listener(listener: Listener) -> NetworkListener:
    """The object, with everything filled in; an address with port 0 keeps it. Raises Refused."""
    wire = {**_wire(NETWORK_LISTENER, listener.fields), "name": listener.name}
    return _with_addresses(
        listener.name,
        listener.bind,
        lambda bind: candidate_of_create(NETWORK_LISTENER, {**wire, "bind": bind}, datetime.now(UTC)),
    )


def changed_listener(
    current: NetworkListener, bind: Collection[str | Address] | None, fields: Mapping[str, object]
) -> NetworkListener:
    """The object as it is to be from now on. Raises Refused."""
    wire = _wire(NETWORK_LISTENER, fields)
    wanted = tuple(str(address) for address in current.bind) if bind is None else _several(bind)
    return _with_addresses(
        current.name,
        wanted,
        lambda bind: candidate_of_update(
            NETWORK_LISTENER, Id(current.name), current, {**wire, "bind": bind}, datetime.now(UTC)
        ),
    )


def changed_settings(current: SystemSettings, fields: Mapping[str, object]) -> SystemSettings:
    """Settings with these fields changed. Raises Refused."""
    wire = _wire(SYSTEM_SETTINGS, fields)
    return _fit("settings", candidate_of_update(SYSTEM_SETTINGS, SINGLETON_ID, current, wire, datetime.now(UTC)))


def _several(bind: Collection[str | Address]) -> tuple[str, ...]:
    """As text. A single address is a collection to Python, and a slip of the pen."""
    if isinstance(bind, str | Address):
        return (str(bind),)
    return tuple(str(each) if isinstance(each, Address) else each for each in bind)


def _with_addresses(
    name: str, bind: Sequence[str], candidate_with: Callable[[list[str]], Candidate[NetworkListener]]
) -> NetworkListener:
    """Port 0 is nothing that an object can have: such addresses are put in when everything else has been found fit."""
    given = [address for address in bind if not _asks_for_a_port(address)]
    stand_in = ["127.0.0.1:1"] if bind else []  # a listener has an address
    listener = _fit(name, candidate_with(given or stand_in))
    addresses = (_with_port_0(name, each) if _asks_for_a_port(each) else SocketAddress.parse(each) for each in bind)
    return msgspec.structs.replace(listener, bind=tuple(addresses))


def _asks_for_a_port(address: str) -> bool:
    return isinstance(address, str) and address.endswith(":0")  # what is no text is refused by the registry


def _with_port_0(name: str, address: str) -> SocketAddress:
    try:
        parsed = SocketAddress.parse(f"{address[:-1]}1")
    except ValueError:
        words = f"{address!r} is not a socket address; write 127.0.0.1:0, [::1]:0 or [::]:0"
        raise Refused(Objection(name, "bind", words)) from None
    return SocketAddress(parsed.ip, 0, parsed.scope)


def _fit(name: str, candidate: Candidate[T]) -> T:
    if candidate.problems:
        raise Refused(*(objection(name, problem) for problem in candidate.problems))
    return candidate.object


def objection(name: str, problem: Problem) -> Objection:
    """A problem of the registry, in this room's words."""
    description = problem.description
    if problem.value is not None and problem.value not in description:
        description += f" ({problem.value})"
    return Objection(name, python_name(problem.property), description)


def python_name(property_name: str) -> str:
    """What a property of a listener or of the settings is called in Python; others keep their name."""
    return _PYTHON_NAMES.get(property_name, property_name)


def _wire(object_type: ObjectType[T], fields: Mapping[str, object]) -> dict[str, object]:
    names = {declared.field_name: name for name, declared in object_type.properties.items()}
    return {names.get(field, field): _wire_value(value) for field, value in fields.items()}


def _wire_value(value: object) -> object:
    if isinstance(value, timedelta):
        return round(value / timedelta(milliseconds=1))
    if isinstance(value, (tuple, set, frozenset)):
        return [str(each) for each in value]
    return value
