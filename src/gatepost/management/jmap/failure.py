"""How a request (RFC 8620 section 3.6.1) and a method call (section 3.6.2) fail."""

from __future__ import annotations

_URN = "urn:ietf:params:jmap:error:"


class RequestError(Exception):
    """The whole request is refused; an RFC 7807 document tells why, without a word of the request's own."""

    def __init__(self, kind: str, detail: str, *, limit: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.limit = limit

    def document(self) -> dict[str, object]:
        """The problem document; its HTTP status is always 400."""
        limited = {"limit": self.limit} if self.limit else {}
        return {"type": _URN + self.kind, "status": 400, "detail": self.detail, **limited}


def not_json(detail: str) -> RequestError:
    return RequestError("notJSON", detail)


def not_request(detail: str) -> RequestError:
    return RequestError("notRequest", detail)


def over_limit(limit: str, maximum: int) -> RequestError:
    return RequestError("limit", f"the request goes beyond {limit}, which is {maximum}", limit=limit)


class MethodError(Exception):
    """One method call fails; the others go on. `type` as RFC 8620 names it."""

    def __init__(self, kind: str, description: str) -> None:
        super().__init__(description)
        self.kind = kind
        self.description = description

    def arguments(self) -> dict[str, object]:
        """The arguments of the `error` response."""
        return {"type": self.kind, "description": self.description}


def invalid_arguments(description: str) -> MethodError:
    return MethodError("invalidArguments", description)
