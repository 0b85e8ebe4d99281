"""When workers have to build TLS contexts before a change may be made."""

from __future__ import annotations

import msgspec
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.certificates import certificate

from gatepost.plan.difference import needs_other_tls
from gatepost.plan.plan import ProtocolName

CERTIFICATES = (certificate("ecdsa", "mail.example.org", is_fallback=True),)


def test_other_tls_contexts_are_needed_for_a_new_policy_a_new_protocol_and_other_certificates() -> None:
    running = plan(listener("a", "127.0.0.1:25", tls=TLS), listener("b", "127.0.0.1:26"))
    new_policy = msgspec.structs.replace(TLS, is_tls12_enabled=False)
    for wanted, is_needed in (
        (running, False),
        (plan(listener("a", "127.0.0.1:27", tls=TLS, max_connections=5)), False),
        (plan(listener("b", "127.0.0.1:26")), False),
        (plan(listener("a", "127.0.0.1:25", tls=TLS), listener("b", "127.0.0.1:26", tls=TLS)), False),
        (plan(listener("a", "127.0.0.1:25", tls=new_policy)), True),
        (plan(listener("a", "127.0.0.1:25", tls=TLS, protocol=ProtocolName.IMAP)), True),
        (plan(listener("a", "127.0.0.1:25", tls=TLS), certificates=CERTIFICATES), True),
    ):
        assert needs_other_tls(running, wanted) is is_needed
