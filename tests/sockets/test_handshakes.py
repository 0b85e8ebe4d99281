"""What the kernel says of clients whose handshake is not complete."""

from __future__ import annotations

import socket

from tests.far_client import FarClient
from tests.network_namespace import SERVER, two_hosts

from gatepost.sockets.handshakes import handshakes_under_way


def test_a_client_is_told_of_from_its_syn_to_the_last_packet_of_the_handshake() -> None:
    with two_hosts() as hosts, socket.create_server((SERVER, 0)) as listening:
        port = listening.getsockname()[1]
        assert handshakes_under_way({port}) == frozenset()
        client = FarClient(hosts, port)
        client.begin()
        under_way = handshakes_under_way({port, 9})
        assert len(under_way) == 1
        assert handshakes_under_way({port}) == under_way
        assert handshakes_under_way({9}) == frozenset()
        assert under_way <= handshakes_under_way(range(65536))  # as fast as of one port
        client.complete()
        accepted, _ = listening.accept()
        accepted.close()
        assert handshakes_under_way({port}) == frozenset()
        client.close()
