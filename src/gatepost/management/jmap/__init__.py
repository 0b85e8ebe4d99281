"""The JMAP engine (RFC 8620): octets of a request in, octets of an answer out. Knows neither HTTP nor any object type."""
