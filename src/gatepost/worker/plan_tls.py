"""The TLS contexts of this worker: of the plan that runs, and of one that is being prepared. Kept by `worker`.

What was built to see that it can be is what is then served with: a plan that is applied after it was tried builds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.control.messages import TlsFailure
from gatepost.plan.plan import CertificatePlan, Plan
from gatepost.transport.tls_contexts import TlsContexts, UnusableTls

_Built = tuple[Sequence[CertificatePlan], TlsContexts]


class PlanTls:
    """Contexts by the certificates that they are made of."""

    __slots__ = ("_running", "_tried")

    def __init__(self) -> None:
        self._running: _Built = ((), TlsContexts(()))
        self._tried: _Built = self._running

    def run(self, plan: Plan) -> TlsContexts:
        """What connections get from now on."""
        self._running = self._tried = self._of(plan)
        return self._running[1]

    def try_to_build(self, plan: Plan) -> tuple[TlsFailure, ...]:
        """Build everything that the plan may need. The listeners whose policy cannot be built."""
        self._tried = self._of(plan)
        failures: list[TlsFailure] = []
        for listener in plan.listeners:
            if listener.tls is not None:
                try:
                    self._tried[1].build_all(listener.tls, listener.protocol)
                except UnusableTls as error:
                    failures.append(TlsFailure(listener_id=listener.id, text=str(error)))
        return tuple(failures)

    def _of(self, plan: Plan) -> _Built:
        for known in (self._tried, self._running):
            if known[0] == plan.certificates:
                return known
        return plan.certificates, TlsContexts(plan.certificates)
