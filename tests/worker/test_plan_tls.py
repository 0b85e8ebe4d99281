"""Which TLS contexts a worker has: those of the plan that runs, of one that is prepared, and of who still uses others."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from msgspec import structs
from OpenSSL import SSL
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.certificates import certificate

from gatepost.plan.plan import CertificatePlan, Plan, TlsPlan
from gatepost.worker.block_watch import BlockWatch
from gatepost.worker.listener import ListenerPolicy
from gatepost.worker.plan_tls import PlanTls

FALLBACK = certificate("ecdsa", "mail.example.org", is_fallback=True)
NAMED = certificate("rsa", "named.example.org")
POLICIES = [
    structs.replace(TLS, tls13_suites=(suite,), prefer_server_order=order, is_tls12_enabled=is_tls12_enabled)
    for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
    for order in (True, False)
    for is_tls12_enabled in (True, False)
]


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    """It comes too seldom to a worker to be counted on."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def contexts() -> int:
    return sum(isinstance(each, SSL.Context) for each in gc.get_objects())


def plan_with(tls: TlsPlan, *certificates: CertificatePlan) -> Plan:
    wanted = listener("a", "127.0.0.1:1143", tls=tls)
    return structs.replace(plan(wanted), certificates=certificates or (FALLBACK, NAMED))


def served(tls: PlanTls, wanted: Plan) -> ListenerPolicy:
    """What the worker does when it is told to run a plan that all have tried."""
    assert tls.try_to_build(wanted) == ()
    return ListenerPolicy(wanted, wanted.listeners[0], tls.run(wanted), BlockWatch())


def test_contexts_do_not_become_more_with_the_policies_that_ran() -> None:
    tls, before = PlanTls(), contexts()
    for policy in POLICIES * 3:
        running = served(tls, plan_with(policy))
        assert contexts() - before == 3  # for whoever asks for no name, and for two names
    assert running.tls is not None


def test_nor_with_the_certificates() -> None:
    tls, before = PlanTls(), contexts()
    for number in range(20):
        running = served(tls, plan_with(TLS, FALLBACK, structs.replace(NAMED, names=(f"n{number}.example.org",))))
        assert contexts() - before == 3
    assert running.tls is not None


def test_who_came_in_under_an_old_policy_keeps_its_contexts_and_nobody_else() -> None:
    tls, before = PlanTls(), contexts()
    old = served(tls, plan_with(POLICIES[0]))
    for policy in POLICIES[1:]:
        running = served(tls, plan_with(policy))
    assert contexts() - before == 6
    assert old.tls is not None
    assert running.tls is not None
    del old
    assert contexts() - before == 3


def test_what_was_tried_and_is_not_run_is_given_up_with_the_next_plan() -> None:
    tls, before = PlanTls(), contexts()
    running = served(tls, plan_with(POLICIES[0]))
    for policy in POLICIES[1:]:
        tls.try_to_build(plan_with(policy))
        assert contexts() - before == 6
    tls.run(plan_with(POLICIES[0]))
    assert contexts() - before == 3
    assert running.tls is not None


def test_a_plan_that_was_tried_is_served_with_the_very_contexts_that_were_built() -> None:
    tls, wanted = PlanTls(), plan_with(TLS)
    tls.try_to_build(wanted)
    built = contexts()
    assert served(tls, wanted).tls is not None
    assert contexts() == built
