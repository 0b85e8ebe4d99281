"""The TLS contexts of this worker: of the plan that runs, and of one that is being prepared. Kept by `worker`.

What was built to see that it can be is what is then served with: a plan that is applied after it was tried builds nothing. What
neither plan has lives on with the connections that have it, and no longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.control.messages import TlsFailure
from gatepost.plan.plan import CertificatePlan, Plan
from gatepost.transport.tls_contexts import PolicyContexts, TlsContexts, UnusableTls

_Built = tuple[Sequence[CertificatePlan], TlsContexts]


class PlanTls:
    """Contexts by the certificates that they are made of. Listeners keep those that they serve with."""

    __slots__ = ("_running", "_tried", "_tried_policies")

    def __init__(self) -> None:
        self._running: _Built = ((), TlsContexts(()))
        self._tried: _Built = self._running
        self._tried_policies: list[PolicyContexts] = []

    def run(self, plan: Plan) -> TlsContexts:
        """What connections get from now on."""
        self._running = self._tried = self._of(plan)
        self._tried_policies, _ = self._policies(plan)  # those of another plan that was tried are given up
        return self._running[1]

    def of_another(self, plan: Plan) -> TlsContexts:
        """For clients who came under a plan that does not run any more."""
        return self._of(plan)[1]

    def try_to_build(self, plan: Plan) -> tuple[TlsFailure, ...]:
        """Build everything that the plan may need. The listeners whose policy cannot be built."""
        self._tried = self._of(plan)
        self._tried_policies, failures = self._policies(plan, is_everything_built=True)
        return tuple(failures)

    def _policies(
        self, plan: Plan, *, is_everything_built: bool = False
    ) -> tuple[list[PolicyContexts], list[TlsFailure]]:
        policies: list[PolicyContexts] = []
        failures: list[TlsFailure] = []
        for listener in plan.listeners:
            if listener.tls is not None:
                try:
                    policies.append(self._tried[1].of(listener.tls, listener.protocol))
                    if is_everything_built:
                        policies[-1].build_all()
                except UnusableTls as error:
                    failures.append(TlsFailure(listener_id=listener.id, text=str(error)))
        return policies, failures

    def _of(self, plan: Plan) -> _Built:
        for known in (self._tried, self._running):
            if known[0] == plan.certificates:
                return known
        return plan.certificates, TlsContexts(plan.certificates)
