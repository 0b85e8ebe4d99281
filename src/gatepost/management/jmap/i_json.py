"""The body of a request as a value: UTF-8 and I-JSON, as RFC 8620 section 3.3 asks for."""

from __future__ import annotations

import json

from gatepost.management.jmap.failure import not_json
from gatepost.values import i_json


def parse_i_json(octets: bytes) -> object:
    """The value. Raises RequestError notJSON, which says what is wrong and where, but repeats nothing of the text."""
    try:
        return i_json.parse_i_json(octets.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise not_json(f"the request is not UTF-8 (octet {error.start})") from None
    except json.JSONDecodeError as error:
        raise not_json(f"the request is not JSON (line {error.lineno}, column {error.colno})") from None
    except i_json.UnfitJsonError as error:
        raise not_json(f"the request is not I-JSON: {error}") from None
