"""The rule that finds bind clashes says exactly what the kernel does: listeners are bound for real and compared."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.free_port import free_port
from tests.network_namespace import SERVER, SERVER_LINK_LOCAL, SERVER_V6, two_hosts
from tests.sockets.socket_plans import socket_plan

from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.network_listener import NetworkListener
from gatepost.registry.rules.bind_clashes import bind_clashes
from gatepost.sockets import listening_socket
from gatepost.values.ids import Id
from gatepost.values.socket_address import SocketAddress

HOSTS = (
    "0.0.0.0",
    "127.0.0.1",
    "127.0.0.2",
    SERVER,
    "[::]",
    "[::1]",
    f"[{SERVER_V6}]",
    f"[{SERVER_LINK_LOCAL}%server0]",
    f"[{SERVER_LINK_LOCAL}%lo]",
)
Listeners = Sequence[tuple[Sequence[str], bool]]  # addresses without port, and whether the port may be shared


@pytest.fixture(scope="module", autouse=True)
def host() -> Iterator[None]:
    """A host that has every one of the addresses; one of them at two interfaces."""
    with two_hosts():
        subprocess.run(["ip", "address", "add", f"{SERVER_LINK_LOCAL}/64", "dev", "lo", "nodad"], check=True)
        yield


def is_found(listeners: Listeners, port: int) -> bool:
    """Whether the rule has something against them."""
    values = {
        Id(f"l{number}"): NetworkListener(
            name=f"l{number}",
            bind=tuple(SocketAddress.parse(f"{each}:{port}") for each in hosts),
            socket_reuse_port=may_share,
        )
        for number, (hosts, may_share) in enumerate(listeners)
    }
    refs = tuple(ObjectRef("NetworkListener", each) for each in values)
    names = ("NetworkListener", "SystemSettings", "Certificate", "Domain", "Account")
    before = Configuration({name: {} for name in names})
    after = Configuration({name: values if name == "NetworkListener" else {} for name in names})
    return any(bind_clashes(Proposal(before=before, after=after, touched=refs)))


def is_refused(listeners: Listeners, port: int) -> bool:
    """Whether the kernel refuses to have all of them at once."""
    with ExitStack() as opened:
        for hosts, may_share in listeners:
            for each in hosts:
                try:
                    address = SocketAddress.parse(f"{each}:{port}")
                    sock = listening_socket.bind(address, socket_plan(reuse_port=may_share))
                    opened.enter_context(sock).listen()
                except OSError as error:
                    assert error.strerror == "Address already in use"
                    return True
    return False


@pytest.mark.parametrize("one", HOSTS)
@pytest.mark.parametrize("other", HOSTS)
def test_any_two_addresses_clash_exactly_where_the_kernel_refuses_the_second(one: str, other: str) -> None:
    for one_shares, other_shares in product((True, False), repeat=2):
        pair: Listeners = [([one], one_shares), ([other], other_shares)]
        port = free_port()
        assert is_found(pair, port) == is_refused(pair, port), pair


def test_different_ports_never_clash() -> None:
    with ExitStack() as opened:
        for each in HOSTS:
            address = SocketAddress.parse(f"{each}:{free_port()}")
            opened.enter_context(listening_socket.bind(address, socket_plan(reuse_port=False))).listen()


_LISTENER = st.tuples(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=4, unique=True), st.booleans())


@given(st.lists(_LISTENER, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_set_of_listeners_clashes_exactly_where_the_kernel_refuses_two_of_its_addresses(
    listeners: Listeners,
) -> None:
    """Two, because of three it may overlook one: it remembers of a port that those who came last share it, and looks no
    further for the next of them. The rule does not go by the order in which they came."""
    port = free_port()
    places = [([each], may_share) for hosts, may_share in listeners for each in hosts]
    found = is_found(listeners, port)
    assert found == any(is_refused(pair, free_port()) for pair in combinations(places, 2))
    if not found:
        assert not is_refused(listeners, port)
