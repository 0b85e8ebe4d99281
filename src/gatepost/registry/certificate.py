"""Certificate: a certificate chain with its private key. The declaration; what the chain says is read by `certificate_pair.py`.

Pure: whether a certificate is valid now is decided with the time that the caller hands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from gatepost.registry.certificate_pair import (
    LONGEST_ISSUER,
    LONGEST_NAME,
    MOST_NAMES,
    PairError,
    PairFacts,
    pair_in_files,
    read_pair,
)
from gatepost.registry.declaration import (
    Effect,
    FormSection,
    ListView,
    MenuPlace,
    ObjectType,
    Property,
    Update,
    declared_properties,
)
from gatepost.registry.file_path import NO_FILES, FilePath, FileTexts
from gatepost.registry.kinds import Boolean, Choice, SecretText, SetOf, Text, UtcDateTime
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.tls import KeyType
from gatepost.values.secret import Secret

_MAX_PEM = 256 * 1024
_KEY_TYPE_LABELS = {KeyType.ECDSA: "ECDSA", KeyType.RSA: "RSA", KeyType.ED25519: "Ed25519"}


class Certificate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A certificate, as text or in files: `certificate` and `private_key` or `certificate_file` and `private_key_file`. What is
    server-set is read out of the chain; `subject_alternative_names` are DNS names and IP addresses, lower-case."""

    name: Annotated[
        str | None,
        Property(kind=Text(1, 64), label="Name", help="For people; unique where given."),
    ] = None
    certificate: Annotated[
        str | None,
        Property(
            kind=Text(1, _MAX_PEM, has_lines=True, format="text"),
            label="Certificate chain",
            help="PEM text: the server's certificate first, then the intermediate ones. Not set where it is in a file.",
            effect=Effect.NEXT,
        ),
    ] = None
    private_key: Annotated[
        Secret | None,
        Property(
            kind=SecretText(1, _MAX_PEM, has_lines=True),
            label="Private key",
            help="PEM text, not encrypted. It cannot be read back. Not set where it is in a file.",
            effect=Effect.NEXT,
        ),
    ] = None
    certificate_file: Annotated[
        str | None,
        Property(
            kind=FilePath(),
            label="Certificate file",
            help="Path of the chain on the server, in place of the text. It is read again when it changes, and at SIGHUP.",
            effect=Effect.NEXT,
        ),
    ] = None
    private_key_file: Annotated[
        str | None,
        Property(
            kind=FilePath(),
            label="Private key file",
            help="Path of the key on the server, readable for the user that the workers run as. May be the same file.",
            effect=Effect.NEXT,
        ),
    ] = None
    subject_alternative_names: Annotated[
        tuple[str, ...],
        Property(
            kind=SetOf(Text(1, LONGEST_NAME), max_items=MOST_NAMES),
            label="Names",
            help="The host names and addresses that it is for.",
            update=Update.SERVER_SET,
        ),
    ] = ()
    issuer: Annotated[
        str | None,
        Property(kind=Text(0, LONGEST_ISSUER), label="Issuer", help="Who signed it.", update=Update.SERVER_SET),
    ] = None
    not_valid_before: Annotated[
        datetime | None,
        Property(kind=UtcDateTime(), label="Valid from", help="It is not valid earlier.", update=Update.SERVER_SET),
    ] = None
    not_valid_after: Annotated[
        datetime | None,
        Property(kind=UtcDateTime(), label="Valid until", help="It has expired then.", update=Update.SERVER_SET),
    ] = None
    key_type: Annotated[
        KeyType | None,
        Property(
            kind=Choice(KeyType, _KEY_TYPE_LABELS),
            label="Key type",
            help="Two certificates of one name with different key types are both in use.",
            update=Update.SERVER_SET,
        ),
    ] = None
    is_self_signed: Annotated[
        bool,
        Property(
            kind=Boolean(),
            label="Made by this server",
            help="The certificate that the server made for itself at its first start; served where no other fits.",
            update=Update.SERVER_SET,
        ),
    ] = False
    file_problem: Annotated[
        str | None,
        Property(
            kind=Text(0, 8192),
            label="Problem with the files",
            help="Why the files as they are now cannot be used; what they held before is served as long as the server runs.",
            update=Update.SERVER_SET,
        ),
    ] = None

    @property
    def files(self) -> tuple[str, str] | None:
        """The paths of chain and key; None for a certificate that is kept as text."""
        if self.certificate_file is None or self.private_key_file is None:
            return None
        return self.certificate_file, self.private_key_file


def _examine(certificate: Certificate, now: datetime, texts: FileTexts) -> tuple[Certificate, Sequence[Problem]]:
    if problems := _missing_or_double(certificate):
        return certificate, problems
    try:
        facts = _facts_of(certificate, texts)
    except PairError as error:
        return certificate, [Problem(error.property_name, ProblemType.INVALID, str(error))]
    completed = msgspec.structs.replace(
        certificate,
        subject_alternative_names=facts.names,
        issuer=facts.issuer,
        not_valid_before=facts.not_valid_before,
        not_valid_after=facts.not_valid_after,
        key_type=facts.key_type,
        file_problem=None,
    )
    if facts.not_valid_after <= now:
        words = f"expired at {facts.not_valid_after:%Y-%m-%dT%H:%M:%SZ}; give one that is valid"
        name = "certificate" if certificate.certificate_file is None else "certificateFile"
        return completed, [Problem(name, ProblemType.INVALID, words)]
    return completed, ()


def _facts_of(certificate: Certificate, texts: FileTexts) -> PairFacts:
    if certificate.files is not None:
        return pair_in_files(*certificate.files, texts)[1]
    assert certificate.certificate is not None and certificate.private_key is not None  # noqa: S101 - looked at before
    return read_pair(certificate.certificate, certificate.private_key.reveal())


def _missing_or_double(certificate: Certificate) -> list[Problem]:
    """Chain and key are both text, or both in files."""
    texts = {"certificate": certificate.certificate, "privateKey": certificate.private_key}
    paths = {"certificateFile": certificate.certificate_file, "privateKeyFile": certificate.private_key_file}
    if not any(paths.values()):
        words = "must be given, or the path of its file"
        return [Problem(name, ProblemType.REQUIRED, words) for name, value in texts.items() if value is None]
    missing = [
        Problem(name, ProblemType.REQUIRED, "must be given too: chain and key are both in files, or both text")
        for name, value in paths.items()
        if value is None
    ]
    double = [
        Problem(name, ProblemType.CONFLICT, f"must be null where {name}File is given")
        for name, value in texts.items()
        if value is not None
    ]
    return missing + double


def complete_certificate(certificate: Certificate, now: datetime) -> Certificate:
    """The certificate, kept as text, with what the server sets filled in from its chain. Raises ValueError for a pair that
    is refused."""
    completed, problems = _examine(certificate, now, NO_FILES)
    if problems:
        raise ValueError("; ".join(f"{problem.property}: {problem.description}" for problem in problems))
    return completed


CERTIFICATE = ObjectType(
    name="Certificate",
    struct=Certificate,
    properties=declared_properties(Certificate),
    description="A certificate chain with its private key, for TLS.",
    form=(
        FormSection("Certificate", ("name", "certificate", "privateKey")),
        FormSection("In files", ("certificateFile", "privateKeyFile", "fileProblem")),
        FormSection(
            "What it says",
            ("subjectAlternativeNames", "issuer", "notValidBefore", "notValidAfter", "keyType", "isSelfSigned"),
        ),
    ),
    list_view=ListView(
        title="Certificates",
        subtitle="What the server proves its names with",
        singular="certificate",
        plural="certificates",
        label_property="name",
        columns=(
            "name",
            "subjectAlternativeNames",
            "issuer",
            "notValidAfter",
            "keyType",
            "isSelfSigned",
            "fileProblem",
        ),
        filters=("name", "subjectAlternativeNames", "issuer", "notValidAfter", "keyType", "isSelfSigned"),
    ),
    menu=MenuPlace("Settings", "settings", "Network", "network", "Certificates"),
    unique_key=lambda certificate: certificate.name.casefold() if certificate.name else None,
    examine=_examine,
)
