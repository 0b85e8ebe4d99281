"""What it costs a connection that networks are blocked which it does not come from."""

from __future__ import annotations

from collections.abc import Iterator

from bench.accepting import cpu_per_connection, greeted
from bench.api import Api
from bench.pairs import Contestant, interleave
from bench.ports import Port
from bench.rig import NotMeasurable, Rig
from bench.servers import api, gatepost, second
from bench.table import Row, comparison

_MOST_IN_SET = 500  # maxObjectsInSet


def blocking(rig: Rig, *, networks: int, connections: int, rounds: int) -> Iterator[Row]:
    """Two servers with one worker each, on the same core; the clients come from 127/8."""
    load, beside = greeted("220", connections), second(rig)
    with (
        gatepost(beside, workers=1, name="nobody-blocked") as free,
        gatepost(rig, workers=1) as blocked,
        api(rig) as calls,
    ):
        _block(calls, networks)
        ours = Contestant("with", cpu_per_connection(rig, blocked, load, Port.SMTP))
        peer = Contestant("nobody blocked", cpu_per_connection(beside, free, load, Port.SMTP))
        interleave((ours, peer), rounds)
        what = f"SMTP: accept, greet, close, {networks} networks blocked; server CPU"
        yield from comparison(what, "µs", ours, (peer,))


def _block(calls: Api, networks: int) -> None:
    """Half of them addresses, half of them networks of 256."""
    wanted = [f"10.{number >> 8}.{number & 255}.{'0/24' if number % 2 else '1'}" for number in range(networks)]
    for start in range(0, networks, _MOST_IN_SET):
        part = {
            f"b{network}".translate(_AS_ID): {"network": network} for network in wanted[start : start + _MOST_IN_SET]
        }
        answer = calls.call("x:BlockedIp/set", create=part)
        if len(answer["created"] or {}) != len(part):
            raise NotMeasurable(f"networks were not blocked: {answer['notCreated']}")


_AS_ID = str.maketrans("./", "--")
