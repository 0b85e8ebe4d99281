"""gatepost: a mail and web server whose listeners change while it runs."""

__version__ = "0.1.0"
