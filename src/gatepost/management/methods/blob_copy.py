"""Blob/copy (RFC 8620 section 6.3), which is a part of the core capability. There is one account for each caller and no object has
files, so there is nothing that could be copied; each blob is told so in the words of the RFC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.methods.set_error import SetError

_NO_BLOB = SetError("notFound", "there is no file with this blobId")


async def copy_blobs(values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """Raises MethodError: accountNotFound, fromAccountNotFound, invalidArguments."""
    own = context.caller.account_id
    arguments = Arguments(values)
    arguments.account(own)
    from_account, blob_ids = arguments.text("fromAccountId"), arguments.optional_texts("blobIds")
    arguments.finish()
    if blob_ids is None:
        raise invalid_arguments("blobIds must be given: an array of ids")
    if from_account != own:
        raise MethodError("fromAccountNotFound", "the fromAccountId is not one that the session object lists")
    not_copied = dict.fromkeys(blob_ids, _NO_BLOB.to_wire())
    return {"fromAccountId": own, "accountId": own, "copied": None, "notCopied": not_copied or None}
