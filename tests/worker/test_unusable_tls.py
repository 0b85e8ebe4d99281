"""A TLS policy that this worker cannot build: nothing is served in clear instead, and no password is taken in clear."""

from __future__ import annotations

import pytest
from tests.supervisor.plans import TLS, listener, plan
from tests.transport.certificates import certificate

from gatepost.transport import tls_contexts
from gatepost.transport.connection_info import ConnectionInfo
from gatepost.transport.tls_contexts import TlsContexts
from gatepost.transport.tls_groups import NoGroups
from gatepost.worker.block_watch import BlockWatch
from gatepost.worker.listener import ListenerPolicy

FROM_THIS_MACHINE = ConnectionInfo(("127.0.0.1", 4001))


def policy(contexts: TlsContexts, *, is_tls_implicit: bool) -> ListenerPolicy:
    wanted = listener("a", "127.0.0.1:1143", tls=TLS, is_tls_implicit=is_tls_implicit)
    return ListenerPolicy(plan(wanted), wanted, contexts, BlockWatch())


def refuse(_: object) -> None:
    raise NoGroups("the TLS library takes none of the groups for key exchange")


@pytest.mark.parametrize("is_tls_implicit", [True, False])
@pytest.mark.parametrize("reason", ["no certificate", "key exchange"])
def test_without_a_context_clear_text_gets_no_further(
    is_tls_implicit: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "key exchange":
        monkeypatch.setattr(tls_contexts, "set_groups", refuse)
        contexts = TlsContexts([certificate("ecdsa", "mail.example.org", is_fallback=True)])
    else:
        contexts = TlsContexts([])
    made = policy(contexts, is_tls_implicit=is_tls_implicit)
    assert made.tls is None
    assert reason in str(made.tls_error)
    assert not made.may_log_in_in_clear(FROM_THIS_MACHINE)
    assert made.offers_tls is not is_tls_implicit  # STARTTLS is offered, fails, and ends the connection


def test_a_context_is_built_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = TlsContexts([certificate("ecdsa", "mail.example.org", is_fallback=True)])
    with monkeypatch.context() as broken:
        broken.setattr(tls_contexts, "set_groups", refuse)
        assert policy(contexts, is_tls_implicit=True).tls is None
    assert policy(contexts, is_tls_implicit=True).tls is not None
