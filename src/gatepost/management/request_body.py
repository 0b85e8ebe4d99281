"""Reading the body of a request, never more of it than is allowed."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from gatepost.management.jmap.failure import not_json, over_limit


async def read_json_body(request: Request, most_octets: int, limit_name: str = "maxSizeRequest") -> bytes:
    """The octets of a JSON body. Raises RequestError: notJSON for another content type, limit for one that is too long;
    what is too long is not read to its end."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise not_json("the content type must be application/json")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > most_octets:
        raise over_limit(limit_name, most_octets)
    pieces: list[bytes] = []
    size, is_there_more = 0, True
    while is_there_more:  # Request.stream() would do, with an asynchronous generator for what is mostly one message
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most_octets:
            raise over_limit(limit_name, most_octets)
        is_there_more = message.get("more_body", False)
    return b"".join(pieces)
