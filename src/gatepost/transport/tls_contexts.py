"""Building OpenSSL contexts for the TLS policies of a plan, and choosing the certificate by the name a client asks for.

Workers build what their listeners need; whoever prepares a change builds everything, to see that it can be. The only file
that makes contexts.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL, crypto

from gatepost.plan.plan import CertificatePlan, ProtocolName, TlsPlan
from gatepost.registry.private_key import read_private_key
from gatepost.transport.alpn import alpn_choice
from gatepost.transport.tls_groups import NoGroups, set_groups

# OP_NO_TICKET is not among them, so that `_without_tickets` can set it; see there.
_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_IGNORE_UNEXPECTED_EOF
_TLS12_NEEDS_A_LIST = b"ECDHE+AESGCM"


class UnusableTls(ValueError):
    """No context can be built; the text names the certificate or the setting. Nothing is served in clear instead."""


class _Certificates:
    """What a plan has, by the names that they are for."""

    __slots__ = ("by_name", "fallback", "has_choice")

    def __init__(self, certificates: Sequence[CertificatePlan]) -> None:
        self.by_name: dict[str, list[CertificatePlan]] = {}
        self.fallback: list[CertificatePlan] = []
        for certificate in certificates:
            for name in certificate.names:
                self.by_name.setdefault(name, []).append(certificate)
            if certificate.is_fallback:
                self.fallback.append(certificate)
        # Looking at the name costs some microseconds of every handshake: where one answer fits all, nobody looks.
        self.has_choice = any(named != self.fallback for named in self.by_name.values())


class TlsContexts:
    """Contexts for one set of certificates, shared by all who serve under the same policy and protocol, and gone with the
    last of them."""

    def __init__(self, certificates: Sequence[CertificatePlan]) -> None:
        self._certificates = _Certificates(certificates)
        self._in_use: WeakValueDictionary[tuple[TlsPlan, ProtocolName], PolicyContexts] = WeakValueDictionary()

    def of(self, policy: TlsPlan, protocol: ProtocolName) -> PolicyContexts:
        """The contexts of a policy. Raises UnusableTls."""
        contexts = self._in_use.get((policy, protocol))
        if contexts is None:
            contexts = self._in_use[policy, protocol] = PolicyContexts(policy, protocol, self._certificates)
        return contexts


class PolicyContexts:
    """The contexts of one policy and protocol. `context` is the one that a handshake starts with; it has all that it needs to
    choose another one by the name that the client asks for."""

    def __init__(self, policy: TlsPlan, protocol: ProtocolName, certificates: _Certificates) -> None:
        if not certificates.fallback:
            raise UnusableTls(
                "there is no certificate: create a Certificate, or restart to have a self-signed one made"
            )
        self._named = _NamedContexts(policy, protocol, certificates)
        self.context = _build(policy, protocol, certificates.fallback)
        # What OpenSSL calls when it has read the ClientHello, whether a name is in it or not.
        self.context.set_tlsext_servername_callback(self._named.choose if certificates.has_choice else _without_tickets)

    def build_all(self) -> None:
        """Build the context of every name too, for real, to see that it can be. Raises UnusableTls."""
        self._named.build_all()


class _NamedContexts:
    """One for each name that there are certificates for, made when first needed. None of them refers back here, so that all are
    gone with the last who uses them, and not only when the garbage collector comes."""

    def __init__(self, policy: TlsPlan, protocol: ProtocolName, certificates: _Certificates) -> None:
        self._policy = policy
        self._protocol = protocol
        self._certificates = certificates
        self._contexts: dict[str, SSL.Context] = {}

    def build_all(self) -> None:
        for name in self._certificates.by_name:
            self._context(name)

    def _context(self, name: str) -> SSL.Context:
        context = self._contexts.get(name)
        if context is None:
            context = self._contexts[name] = _build(self._policy, self._protocol, self._certificates.by_name[name])
            context.set_tlsext_servername_callback(_without_tickets)  # called where the client has to say hello twice
        return context

    def choose(self, connection: SSL.Connection) -> None:
        """The context by the name that the client asks for."""
        _without_tickets(connection)
        asked = connection.get_servername()
        if not asked:
            return
        name = asked.decode("ascii", "replace").lower().rstrip(".")
        wildcard = f"*.{name.partition('.')[2]}"
        for candidate in (name, wildcard):
            if candidate in self._certificates.by_name:
                try:
                    connection.set_context(self._context(candidate))
                except UnusableTls:
                    pass  # the certificate that was chosen first is served, and the client sees that it is not the right one
                return


def _without_tickets(connection: SSL.Connection) -> None:
    """No session ticket is given out. Set on the context, the option only stops the tickets of TLS 1.2: in TLS 1.3 OpenSSL
    would go on to send two of another kind, which cost 6 % of a handshake and could never be redeemed, as the session cache
    is off. Set from this callback it stops both (ssl/statem/extensions.c, `final_server_name`). ADR 0014."""
    connection.set_options(SSL.OP_NO_TICKET)


def check_pair(chain_pem: str, private_key_pem: str) -> None:
    """Whether OpenSSL takes a chain with its key. Raises UnusableTls."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    try:
        _use(
            context,
            x509.load_pem_x509_certificates(chain_pem.encode()),
            read_private_key(private_key_pem),
        )
    except (ValueError, TypeError, SSL.Error) as error:
        raise UnusableTls(f"the TLS library cannot use it: {error}") from None


def _build(policy: TlsPlan, protocol: ProtocolName, certificates: Sequence[CertificatePlan]) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION if policy.is_tls12_enabled else SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION if policy.is_tls13_enabled else SSL.TLS1_2_VERSION)
    options = _OPTIONS | (SSL.OP_CIPHER_SERVER_PREFERENCE if policy.prefer_server_order else 0)
    context.set_options(options)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    # Without tickets, TLS 1.2 would still resume by session id from a cache that grows with each handshake.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    try:
        context.set_cipher_list(":".join(policy.tls12_suites).encode() or _TLS12_NEEDS_A_LIST)
        if policy.is_tls13_enabled:
            context.set_tls13_ciphersuites(":".join(policy.tls13_suites).encode())
        set_groups(context)
    except SSL.Error as error:
        raise UnusableTls(f"no usable cipher suite is left: {error}") from None
    except NoGroups as error:
        raise UnusableTls(str(error)) from None
    context.set_alpn_select_callback(alpn_choice(protocol))
    _add_certificates(context, certificates)
    return context


def _add_certificates(context: SSL.Context, certificates: Sequence[CertificatePlan]) -> None:
    """OpenSSL keeps one certificate per key type; the first of each type is used, and the client's abilities decide."""
    chains: dict[type, list[x509.Certificate]] = {}
    for certificate in certificates:
        try:
            key = read_private_key(certificate.private_key_pem)
            chain = x509.load_pem_x509_certificates(certificate.chain_pem.encode())
            if type(key) in chains:
                continue
            chains[type(key)] = chain
            _use(context, chain, key)
        except (ValueError, TypeError, SSL.Error) as error:
            raise UnusableTls(f"certificate {certificate.id} cannot be used: {error}") from None
    _add_intermediates(context, list(chains.values()))


def _use(context: SSL.Context, chain: Sequence[x509.Certificate], key: PrivateKeyTypes) -> None:
    context.use_certificate(chain[0])
    context.use_privatekey(key)  # type: ignore[arg-type]  # what load_pem gives is what the library takes
    context.check_privatekey()


def _add_intermediates(context: SSL.Context, chains: Sequence[Sequence[x509.Certificate]]) -> None:
    """One chain is sent as it is. Of two, OpenSSL has to find the right one for each handshake in its store."""
    if len(chains) == 1:
        for intermediate in chains[0][1:]:
            context.add_extra_chain_cert(intermediate)
        return
    store = context.get_cert_store()
    for intermediate in (certificate for chain in chains for certificate in chain[1:]):
        if store is not None:
            store.add_cert(crypto.X509.from_cryptography(intermediate))
