"""Reverse-paths and forward-paths as they stand in MAIL and RCPT (RFC 5321 section 4.1.2, RFC 6531 section 3.3).

Used by the command parsers; pure text, knows nothing of who has which address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_ATOM = r'[^\x00-\x20\x7f()<>@,;:\\".\[\]]+'
_DOT_STRING = rf"{_ATOM}(?:\.{_ATOM})*"
_QUOTED_STRING = r'"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"'
_DOMAIN = r"\[[\x21-\x5a\x5e-\x7e]+\]|[^\x00-\x20\x7f()<>@,;:\\\"\[\]]+"
_SOURCE_ROUTE = r'@[^:<>" ]+:'
_PATH = re.compile(rf"<(?:{_SOURCE_ROUTE})?(?P<local>{_DOT_STRING}|{_QUOTED_STRING})@(?P<domain>{_DOMAIN})>")
_POSTMASTER = re.compile("<postmaster>", re.IGNORECASE)

_LABEL = re.compile(r"(?:[A-Za-z0-9_]|[^\x00-\x7f])(?:(?:[A-Za-z0-9_-]|[^\x00-\x7f])*(?:[A-Za-z0-9]|[^\x00-\x7f]))?\Z")
_PLAIN_LOCAL_PART = re.compile(rf"{_DOT_STRING}\Z")
_TAGGED_LITERAL = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]:[\x21-\x5a\x5e-\x7e]+\Z")

# Twice what RFC 5321 section 4.5.3.1 asks for and more: bounce addresses (VERP, SRS) have long local parts.
_LONGEST_LOCAL_PART = 255  # octets
_LONGEST_DOMAIN = 255  # octets


@dataclass(frozen=True, slots=True)
class Path:
    """A mailbox. `local_part` is without quotes and escapes; `domain` is empty for `<postmaster>` only."""

    local_part: str
    domain: str

    @property
    def address(self) -> str:
        """What a directory is asked for. The last `@` is the separator."""
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part

    @property
    def is_ascii(self) -> bool:
        """Whether it can be used without SMTPUTF8."""
        return self.local_part.isascii() and self.domain.isascii()

    def __str__(self) -> str:
        r"""The form for a command or a header field, without angle brackets, quoted where it must be.

        >>> str(Path("jo hn", "example.org"))
        '"jo hn"@example.org'
        """
        local_part = self.local_part
        if _PLAIN_LOCAL_PART.match(local_part) is None:
            escaped = local_part.replace("\\", "\\\\").replace('"', '\\"')
            local_part = f'"{escaped}"'
        return f"{local_part}@{self.domain}" if self.domain else local_part


def parse_reverse_path(text: str) -> tuple[Path | None, str]:
    """The path at the beginning of `text` (None: the null reverse-path) and what follows it. Raises ValueError."""
    if text.startswith("<>"):
        return None, text[2:]
    return _parse_mailbox(text)


def parse_forward_path(text: str) -> tuple[Path, str]:
    """The path at the beginning of `text` and what follows it; `<postmaster>` needs no domain. Raises ValueError."""
    postmaster = _POSTMASTER.match(text)
    if postmaster is not None:
        return Path("postmaster", ""), text[postmaster.end() :]
    return _parse_mailbox(text)


def is_domain(text: str) -> bool:
    """Whether it has the form of a domain name; underscores, which RFC 5321 does not have, are let pass."""
    if len(text.encode("utf-8")) > _LONGEST_DOMAIN:
        return False
    return all(len(label) <= 63 and _LABEL.match(label) is not None for label in text.split("."))


def is_address_literal(text: str) -> bool:
    """Whether it is `[192.0.2.1]`, `[IPv6:2001:db8::1]` or a tagged literal (RFC 5321 section 4.1.3)."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    inside = text[1:-1]
    try:
        if inside[:5].lower() == "ipv6:":
            IPv6Address(inside[5:])
            return "%" not in inside
        if ":" not in inside:
            IPv4Address(inside)
            return True
    except ValueError:
        return False
    return _TAGGED_LITERAL.match(inside) is not None


def _parse_mailbox(text: str) -> tuple[Path, str]:
    """A source route before the mailbox is passed over (RFC 5321 appendix C)."""
    match = _PATH.match(text)
    if match is None:
        raise ValueError("not a path")
    local_part, domain = match["local"], match["domain"]
    if local_part.startswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    if len(local_part.encode("utf-8")) > _LONGEST_LOCAL_PART:
        raise ValueError("local part too long")
    if not (is_address_literal(domain) if domain.startswith("[") else is_domain(domain)):
        raise ValueError("not a domain")
    return Path(local_part, domain), text[match.end() :]
