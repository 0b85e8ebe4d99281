"""Kinds of texts: domain names, local parts, mail addresses, origins of web pages, which are kept lower-case; and remarks. Pure."""

from __future__ import annotations

import re

from gatepost.registry.kinds import Text

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_DOT_ATOM = r"[A-Za-z0-9!#$%&'*/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*/=?^_`{|}~-]+)*"  # RFC 5322 section 3.2.3, without +


def domain_name_kind() -> Text:
    """A domain name of LDH labels (RFC 1123 section 2.1); internationalised ones as A-labels."""
    words = "must be a domain name like mail.example.org (write internationalised names as xn--...)"
    return Text(1, 253, re.compile(_DOMAIN), words, fold=True)


def local_part_kind() -> Text:
    """The part of an address before the @ (RFC 5321 section 4.5.3.1.1), without `+`, which begins a detail (RFC 5233)."""
    words = "must be a name like alice or alice.smith; + is reserved for details"
    return Text(1, 64, re.compile(_DOT_ATOM), words, fold=True)


def email_address_kind() -> Text:
    """`local-part@domain`."""
    words = "must be an address like alice@example.org; + is reserved for details"
    return Text(3, 254, re.compile(rf"(?=[^@]{{1,64}}@){_DOT_ATOM}@{_DOMAIN}"), words, format="emailAddress", fold=True)


def origin_kind() -> Text:
    """An origin as browsers send it (RFC 6454 section 6.2): scheme, host, and the port where it is not the scheme's own."""
    words = "must be an origin like https://admin.example.org:8443: no path, and no port where it is the usual one"
    host = rf"(?:{_DOMAIN}|\[[0-9A-Fa-f:.]+\])"
    port = r"(?::(?!0)\d{1,5})?"
    pattern = re.compile(rf"(?!https:.*:443\Z|http:.*:80\Z)https?://{host}{port}", re.IGNORECASE | re.ASCII)
    return Text(8, 300, pattern, words, "uri", fold=True)


def remark_kind() -> Text:
    """What people write for people: of several lines, and of no effect."""
    return Text(0, 1000, has_lines=True, format="text")
