"""Where everything listens: fixed distances from the run's first port, so that two runs side by side only need two bases."""

from __future__ import annotations

from enum import IntEnum

from bench.rig import Rig


class Port(IntEnum):
    """Counted from the run's first port. The second gatepost of a comparison begins at SECOND, the many listeners at MANY."""

    SMTP = 0
    LMTP = 1
    IMAP = 2
    IMAPS = 3
    POP3 = 4
    HTTP = 5
    SMTP_PROXIED = 6
    IMAPS_PROXIED = 7
    NGINX_GREETING = 10
    NGINX_TLS = 11
    NGINX_PROXIED = 12
    NGINX_TLS_HELD = 13
    NGINX_IMAP = 14
    NGINX_IMAPS = 15
    NGINX_AUTHENTICATION = 16
    FLOOR = 20
    HAPROXY = 22
    HAPROXY_PROXIED = 23
    DOVECOT_IMAP = 30
    DOVECOT_IMAPS = 31
    DOVECOT_DEFAULT_IMAP = 32
    DOVECOT_DEFAULT_IMAPS = 33
    POSTFIX = 35
    AIOSMTPD = 36
    ASYNCIO = 37
    ASYNCIO_TLS = 38
    UVICORN = 40
    UVICORN_HTTPTOOLS = 41
    SECOND = 50
    MANY = 100
    END = 200

    def of(self, rig: Rig) -> int:
        """The port in this run."""
        return rig.port_base + self
