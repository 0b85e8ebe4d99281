"""Whatever is done over the API: reverting all of it, the newest first, gives the configuration back as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Api = Any
Step = tuple[str, Mapping[str, Any]]

NAMES = st.sampled_from(["a", "b", "c"])
PORTS = st.sampled_from([1001, 1002, 1003])
SOME = st.fixed_dictionaries(
    {},
    optional={
        "maxConnections": st.integers(1, 9),
        "tlsTimeout": st.none() | st.integers(1, 9),
        "useTls": st.booleans(),
        "tlsDisableProtocols": st.sets(st.sampled_from(["tls12", "tls13"]), max_size=1).map(list),
    },
)
BIND = st.sets(PORTS, min_size=1).map(lambda ports: [f"127.0.0.1:{port}" for port in sorted(ports)])
CREATE = st.builds(
    lambda name, bind, rest: ("create", {"name": name, "protocol": "imap", "bind": bind, **rest}), NAMES, BIND, SOME
)
UPDATE = st.builds(lambda patch, bind: ("update", patch | {"bind": bind}), SOME, BIND)
STEPS = st.lists(CREATE | UPDATE | st.just(("destroy", {})), min_size=1, max_size=8)


async def carry_out(api: Api, step: Step, number: int) -> None:
    """A step that is refused (a port or a name that is taken) is as good as none."""
    verb, value = step
    ids = (await api.call("x:NetworkListener/query", filter={"protocol": "imap"}))["ids"]
    if verb == "create":
        await api.call("x:NetworkListener/set", create={"n": value})
    elif ids and verb == "update":
        await api.call("x:NetworkListener/set", update={ids[number % len(ids)]: value})
    elif ids:
        await api.call("x:NetworkListener/set", destroy=[ids[number % len(ids)]])


async def do_and_undo(api: Api, steps: list[Step]) -> None:
    before = dict(api.store.rows)
    for number, step in enumerate(steps):
        await carry_out(api, step, number)
    for change_id in (await api.call("x:Change/query"))["ids"]:
        answer = await api.call("x:Change/set", create={"r": {"revertOf": change_id}})
        assert answer["notCreated"] is None, answer["notCreated"]
    assert api.store.rows == before
    assert api.server.running_plan.listeners == api.server.plan_of_store().listeners


@given(STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_reverting_all_changes_gives_the_configuration_back(make_api: Callable[..., Api], steps: list[Step]) -> None:
    asyncio.run(do_and_undo(make_api(), steps))
