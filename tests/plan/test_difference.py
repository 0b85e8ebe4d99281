"""What has to be done to get from one plan to another."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gatepost.plan.difference import StepKind, difference
from gatepost.plan.plan import CertificatePlan, ListenerPlan, Plan, ProtocolName, SocketPlan, TlsPlan
from gatepost.values.ids import Id

SOCKETS = st.builds(
    SocketPlan,
    backlog=st.integers(1, 2),
    reuse_address=st.booleans(),
    reuse_port=st.booleans(),
    no_delay=st.booleans(),
    receive_buffer=st.none() | st.just(1),
    send_buffer=st.none() | st.just(1),
    tos=st.none() | st.just(1),
    ttl=st.none() | st.just(1),
)
TLS = st.builds(
    TlsPlan,
    tls13_suites=st.just(("TLS_AES_256_GCM_SHA384",)),
    tls12_suites=st.just(()),
    is_tls13_enabled=st.just(True),
    is_tls12_enabled=st.just(False),
    prefer_server_order=st.booleans(),
)
ADDRESSES = st.lists(st.sampled_from(["[::]:25", "[::]:26", "127.0.0.1:27"]), min_size=1, max_size=3, unique=True)


def listeners_named(name: str) -> st.SearchStrategy[ListenerPlan]:
    return st.builds(
        ListenerPlan,
        id=st.just(Id(f"i{name}")),
        name=st.just(name),
        protocol=st.sampled_from(ProtocolName),
        addresses=ADDRESSES.map(lambda each: tuple(sorted(each))),
        socket=SOCKETS,
        tls=st.none() | TLS,
        is_tls_implicit=st.booleans(),
        tls_timeout=st.none() | st.just(60.0),
        proxy_networks=st.sampled_from([(), ("10.0.0.0/8",)]),
        max_connections=st.none() | st.just(5),
    )


LISTENERS = st.tuples(*(st.none() | listeners_named(name) for name in "abc")).map(
    lambda each: tuple(listener for listener in each if listener is not None)
)
CERTIFICATE = CertificatePlan(id=Id("c"), chain_pem="", private_key_pem="", names=("a.example",), is_fallback=True)
PLANS = st.builds(
    Plan,
    revision=st.integers(0, 9),
    hostname=st.sampled_from(["a", "b"]),
    max_connections=st.integers(1, 2),
    max_connections_per_address=st.none() | st.just(3),
    proxy_header_timeout=st.sampled_from([1.0, 5.0]),
    drain_timeout=st.none() | st.just(1.0),
    may_log_in_over_clear_http=st.booleans(),
    max_message_size=st.integers(1, 2),
    listeners=LISTENERS,
    certificates=st.sampled_from([(), (CERTIFICATE,)]),
    watched_files=st.sampled_from([(), ("/chain.pem", "/key.pem")]),
)


@given(PLANS, PLANS)
def test_nothing_has_to_be_done_exactly_when_only_the_revision_differs(old: Plan, new: Plan) -> None:
    is_same = msgspec.structs.replace(old, revision=0) == msgspec.structs.replace(new, revision=0)
    assert (difference(old, new) == ()) is is_same
    assert difference(new, new) == ()


@given(PLANS, PLANS)
def test_the_new_is_started_before_the_old_is_stopped(old: Plan, new: Plan) -> None:
    order = [list(StepKind).index(step.kind) for step in difference(old, new)]
    assert order == sorted(order)


def bound(plan: Plan) -> set[tuple[Id, str]]:
    return {(listener.id, address) for listener in plan.listeners for address in listener.addresses}


@given(PLANS, PLANS)
def test_exactly_the_new_addresses_are_opened_and_the_old_ones_given_up(old: Plan, new: Plan) -> None:
    steps = difference(old, new)

    def addresses_of(kind: StepKind) -> list[tuple[Id | None, str | None]]:
        return sorted(((step.listener_id, step.address) for step in steps if step.kind is kind), key=str)

    assert addresses_of(StepKind.OPEN) == sorted(bound(new) - bound(old), key=str)
    assert addresses_of(StepKind.STOP_ACCEPTING) == sorted(bound(old) - bound(new), key=str)


@given(PLANS, PLANS)
def test_only_listeners_that_are_gone_are_drained(old: Plan, new: Plan) -> None:
    drained = {step.listener_id for step in difference(old, new) if step.kind is StepKind.DRAIN}
    assert drained == {each.id for each in old.listeners} - {each.id for each in new.listeners}


@given(PLANS, PLANS)
def test_addresses_that_stay_are_rebound_only_for_what_open_sockets_cannot_take(old: Plan, new: Plan) -> None:
    for step in difference(old, new):
        if step.kind is StepKind.REOPEN:
            assert step.fields
            assert set(step.fields) <= {"reuse_port", "receive_buffer", "send_buffer"}
            assert (step.listener_id, step.address) in bound(old) & bound(new)


@given(PLANS.filter(lambda plan: bool(plan.listeners)))
def test_a_buffer_is_set_at_once_and_given_back_to_the_kernel_with_new_sockets(plan: Plan) -> None:
    listener = plan.listeners[0]

    def with_buffer(size: int | None) -> Plan:
        sized = msgspec.structs.replace(listener.socket, receive_buffer=size)
        return msgspec.structs.replace(plan, listeners=(msgspec.structs.replace(listener, socket=sized),))

    (at_once,) = difference(with_buffer(None), with_buffer(1))
    assert (at_once.kind, at_once.fields) == (StepKind.APPLY_NOW, ("receive_buffer",))
    given_back = difference(with_buffer(1), with_buffer(None))
    assert [(step.kind, step.address) for step in given_back] == [
        (StepKind.REOPEN, address) for address in listener.addresses
    ]
    assert {step.fields for step in given_back} == {("receive_buffer",)}
