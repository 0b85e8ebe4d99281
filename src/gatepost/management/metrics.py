"""GET /metrics as Prometheus reads it: what the counter page and the kernel say, of all workers at once. Names and meaning are
documented in docs/operations.md. Labels are names of listeners and reasons from closed lists: never what a client said.

Rendering parses certificates and imports prometheus_client, which takes a moment: the endpoint calls it in a thread."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from gatepost import __version__
from gatepost.management.applying import ListenerCounts, ListenerStatus, NodeStatus
from gatepost.plan.plan import CertificatePlan
from gatepost.registry.listener_status import ListenerState

CONTENT_TYPE = CONTENT_TYPE_LATEST
_KERNEL_COUNTERS = Path("/proc/net/netstat")
_STATES = tuple(state.value for state in ListenerState)


@dataclass(frozen=True, slots=True)
class _ByReason:
    """A counter of listeners that has one label beside the listener's name."""

    name: str
    meaning: str
    label: str
    counts: Callable[[ListenerCounts], Mapping[str, int]]


_BY_REASON = (
    _ByReason("gatepost_refused", "Connections refused.", "reason", lambda counts: counts.refused),
    _ByReason(
        "gatepost_proxy_rejected",
        "Connections closed because no acceptable PROXY header came.",
        "reason",
        lambda counts: counts.proxy_rejected,
    ),
    _ByReason("gatepost_ended", "Admitted connections that have ended.", "reason", lambda counts: counts.ended),
    _ByReason("gatepost_tls_handshakes", "TLS handshakes completed.", "version", lambda counts: counts.tls_handshakes),
    _ByReason("gatepost_tls_failures", "TLS handshakes that failed.", "reason", lambda counts: counts.tls_failures),
    _ByReason(
        "gatepost_bytes",
        "Octets of the protocol, without TLS's own; at most a second old.",
        "direction",
        lambda counts: {"received": counts.bytes_received, "sent": counts.bytes_sent},
    ),
)


def render(node: NodeStatus, stored_revision: int) -> bytes:
    """The document, in the format of CONTENT_TYPE."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Node(node, stored_revision))
    return generate_latest(registry)


class _Node(Collector):
    """Everything of one moment."""

    def __init__(self, node: NodeStatus, stored_revision: int) -> None:
        self._node = node
        self._stored_revision = stored_revision

    def collect(self) -> Iterator[Metric]:
        """All families."""
        node = self._node
        yield InfoMetricFamily(
            "gatepost_build",
            "The program that runs.",
            {"version": __version__, "python": platform.python_version()},
        )
        yield GaugeMetricFamily("gatepost_workers", "Worker processes that run the plan.", node.workers_running)
        yield GaugeMetricFamily("gatepost_server_connections", "Open connections of all listeners.", node.connections)
        yield GaugeMetricFamily(
            "gatepost_server_connections_limit",
            "SystemSettings.maxConnections.",
            node.running_plan.max_connections,
        )
        yield GaugeMetricFamily(
            "gatepost_running_revision", "Revision of the configuration that runs.", node.running_plan.revision
        )
        yield GaugeMetricFamily(
            "gatepost_stored_revision", "Revision of the configuration that is stored.", self._stored_revision
        )
        listeners = _one_for_each_name(node.listeners)
        yield from _of_listeners(listeners)
        yield from _of_addresses(listeners)
        yield _of_certificates(node.running_plan.certificates)
        yield from _of_the_kernel()


def _one_for_each_name(listeners: Iterable[ListenerStatus]) -> Sequence[ListenerStatus]:
    """A name may be given again while the listener that had it still has connections: nothing may be told twice. They count
    as open with the new one; what becomes of them is not told any more."""
    by_name: dict[str, ListenerStatus] = {}
    for listener in listeners:  # those that run come first
        named = by_name.setdefault(listener.name, listener)
        if named is not listener:
            connections = named.counts.connections + listener.counts.connections
            by_name[listener.name] = replace(named, counts=replace(named.counts, connections=connections))
    return tuple(by_name.values())


def _of_listeners(listeners: Iterable[ListenerStatus]) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "gatepost_listener_state", "1 for the state that the listener is in.", labels=["listener", "state"]
    )
    now = GaugeMetricFamily("gatepost_connections", "Open connections.", labels=["listener"])
    peak = GaugeMetricFamily("gatepost_connections_peak", "The most there ever were.", labels=["listener"])
    accepted = CounterMetricFamily("gatepost_accepted", "Connections that nothing has refused.", labels=["listener"])
    pauses = CounterMetricFamily(
        "gatepost_accept_pauses", "Times that accepting paused for want of descriptors or memory.", labels=["listener"]
    )
    seconds = HistogramMetricFamily(
        "gatepost_tls_handshake_seconds",
        "Time that completed handshakes took, the client's own included.",
        labels=["listener"],
    )
    for listener in listeners:
        counts, name = listener.counts, listener.name
        for state in _STATES:
            states.add_metric([name, state], float(listener.state == state))
        now.add_metric([name], counts.connections)
        peak.add_metric([name], counts.connections_peak)
        accepted.add_metric([name], counts.accepted)
        pauses.add_metric([name], counts.accept_pauses)
        seconds.add_metric([name], _buckets(counts), counts.handshake_seconds)
    yield from (states, now, peak, accepted, pauses, seconds)
    for each in _BY_REASON:
        yield _by_reason(each, listeners)


def _by_reason(family: _ByReason, listeners: Iterable[ListenerStatus]) -> Metric:
    metric = CounterMetricFamily(family.name, family.meaning, labels=["listener", family.label])
    for listener in listeners:
        for reason, count in family.counts(listener.counts).items():
            metric.add_metric([listener.name, reason], count)
    return metric


def _buckets(counts: ListenerCounts) -> list[tuple[str, float]]:
    """Each holds those before it too, and the last one all."""
    total, buckets = 0, list[tuple[str, float]]()
    for bound, count in counts.handshakes_within:
        total += count
        buckets.append((str(bound), total))
    return [*buckets, ("+Inf", max(total, sum(counts.tls_handshakes.values())))]


def _of_addresses(listeners: Iterable[ListenerStatus]) -> Iterator[Metric]:
    labels = ["listener", "address", "socket"]
    length = GaugeMetricFamily("gatepost_accept_queue_length", "Connections that wait to be accepted.", labels=labels)
    limit = GaugeMetricFamily("gatepost_accept_queue_limit", "How many may wait.", labels=labels)
    drops = CounterMetricFamily(
        "gatepost_accept_queue_drops",
        "Connections that the kernel dropped at this socket: its queue was full, or memory was short.",
        labels=labels,
    )
    accepting = GaugeMetricFamily(
        "gatepost_workers_accepting", "Workers that accept at the address.", labels=["listener", "address"]
    )
    for listener in listeners:
        for address in listener.addresses:
            accepting.add_metric([listener.name, address.address], address.workers_accepting)
            for number, queue in enumerate(address.accept_queues):
                place = [listener.name, address.address, str(number)]
                length.add_metric(place, queue.length)
                limit.add_metric(place, queue.limit)
                drops.add_metric(place, queue.drops)
    yield from (accepting, length, limit, drops)


def _of_certificates(certificates: Iterable[CertificatePlan]) -> Metric:
    metric = GaugeMetricFamily(
        "gatepost_certificate_expiry_timestamp_seconds",
        "When the certificate expires, in seconds since 1970.",
        labels=["certificate", "name"],
    )
    for certificate in certificates:
        metric.add_metric([certificate.id, next(iter(certificate.names), "")], _expiry(certificate.chain_pem))
    return metric


@lru_cache(maxsize=1024)
def _expiry(chain_pem: str) -> float:
    return x509.load_pem_x509_certificate(chain_pem.encode()).not_valid_after_utc.timestamp()


def _of_the_kernel() -> Iterator[Metric]:
    """Of the whole network namespace: other programs on it count too."""
    counts = _kernel_counts(_KERNEL_COUNTERS.read_text()) if _KERNEL_COUNTERS.exists() else {}
    for name, meaning in (
        ("ListenOverflows", "Connections that found an accept queue full"),
        ("ListenDrops", "Connections dropped before accept, for whatever reason"),
    ):
        if name in counts:
            family = "gatepost_host_listen_overflows" if name == "ListenOverflows" else "gatepost_host_listen_drops"
            yield CounterMetricFamily(family, f"{meaning}; all programs of this network namespace.", counts[name])


def _kernel_counts(text: str) -> dict[str, int]:
    """The TcpExt lines of /proc/net/netstat: one of names, one of numbers."""
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith("TcpExt:")]
    return {name: int(number) for name, number in zip(*lines, strict=False)} if len(lines) == 2 else {}
