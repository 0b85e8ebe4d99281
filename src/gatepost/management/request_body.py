"""Reading the body of a request, never more of it than is allowed."""

from __future__ import annotations

from starlette.requests import Request

from gatepost.management.jmap.failure import not_json, over_limit


async def read_json_body(request: Request, most_octets: int, limit_name: str = "maxSizeRequest") -> bytes:
    """The octets of a JSON body. Raises RequestError: notJSON for another content type, limit for one that is too long;
    what is too long is not read to its end."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise not_json("the content type must be application/json")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > most_octets:
        raise over_limit(limit_name, most_octets)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_octets:
            raise over_limit(limit_name, most_octets)
    return bytes(body)
