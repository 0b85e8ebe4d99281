"""Why a TLS handshake failed: a closed list, so that failures can be counted one by one, and words for the log.

`tls_channel.py` asks for the reason of what OpenSSL reports; the stages and the counters carry it on. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum


class TlsFailure(Enum):
    """What kept a handshake from ending well. The values are the names in status, metrics and log."""

    TIMEOUT = "timeout"  # the deadline of the listener passed
    CLOSED = "closed"  # the client went away in the middle
    NOT_TLS = "notTls"  # clear text, or something else that never was a TLS record
    NO_COMMON_VERSION = "version"  # older than TLS 1.2, disabled, or a downgrade that was noticed (RFC 7507)
    NO_COMMON_SUITE = "cipherSuite"
    NO_COMMON_GROUP = "group"  # key exchange
    NO_COMMON_SIGNATURE = "signature"  # the client can verify none of the certificates' keys
    NO_COMMON_PROTOCOL = "alpn"  # RFC 7301: the client wants to speak something that this listener does not
    CLIENT_ALERT = "clientAlert"  # the client gave up: it does not trust the certificate, mostly
    MALFORMED = "malformed"  # TLS, but cut, oversized or out of order
    UNUSABLE = "unusable"  # this listener's own policy cannot be served
    OTHER = "other"


_NOT_TLS = {
    "http request": "the client spoke HTTP in clear",
    "https proxy request": "the client spoke HTTP in clear, as if to a proxy",
    "wrong version number": "the client did not speak TLS: it spoke in clear, or SSL 2",
    "packet length too long": "the client did not speak TLS",
    "unknown protocol": "the client did not speak TLS",
}

# OpenSSL's words (ssl/ssl_err.c), for what a server can find; what is not listed is MALFORMED when it comes from the TLS part.
_REASONS = {
    "unsupported protocol": TlsFailure.NO_COMMON_VERSION,
    "version too low": TlsFailure.NO_COMMON_VERSION,
    "inappropriate fallback": TlsFailure.NO_COMMON_VERSION,
    "no shared cipher": TlsFailure.NO_COMMON_SUITE,
    "no ciphers specified": TlsFailure.NO_COMMON_SUITE,
    "no suitable key share": TlsFailure.NO_COMMON_GROUP,
    "no suitable groups": TlsFailure.NO_COMMON_GROUP,
    "no shared groups": TlsFailure.NO_COMMON_GROUP,
    "no suitable signature algorithm": TlsFailure.NO_COMMON_SIGNATURE,
    "no shared signature algorithms": TlsFailure.NO_COMMON_SIGNATURE,
    "no application protocol": TlsFailure.NO_COMMON_PROTOCOL,
    **dict.fromkeys(_NOT_TLS, TlsFailure.NOT_TLS),
}
_MALFORMED = (
    "bad ",
    "binder",
    "ccs received early",
    "compressed length",
    "data between ccs",
    "data length too long",
    "decryption failed",
    "digest check failed",
    "encrypted length",
    "error in received",
    "excessive message size",
    "excessively",
    "extra data",
    "invalid",
    "length ",
    "missing",
    "not on record boundary",
    "record ",
    "too many",
    "unexpected",
    "unsolicited",
)


def failure_of(reasons: Sequence[str]) -> tuple[TlsFailure, str]:
    """What OpenSSL's reasons mean, the first one being the cause; and words for the log."""
    cause = reasons[0] if reasons else ""
    if cause in _REASONS:
        return _REASONS[cause], _NOT_TLS.get(cause, cause)
    if " alert " in f" {cause} ":
        return TlsFailure.CLIENT_ALERT, f"the client gave up: {cause.partition('alert ')[2] or cause}"
    words = "; ".join(reasons)
    return (TlsFailure.MALFORMED if cause.startswith(_MALFORMED) else TlsFailure.OTHER), words
