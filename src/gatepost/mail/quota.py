"""How much mail an account may hold, and how much it holds. Asked by delivery and by IMAP before anything is added."""

from __future__ import annotations

from gatepost.mail.directory import DirectoryAccount
from gatepost.store.interface import Gone, MailStore


class AccountQuota:
    """Counts what is there when it is asked. Two additions at the same time may both find room for the last message."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def has_room(self, account: DirectoryAccount, octets: int) -> bool:
        """Whether `octets` more fit into the account. Raises StoreError."""
        if account.quota is None:
            return True
        return await self._used(account) + octets <= account.quota

    async def _used(self, account: DirectoryAccount) -> int:
        used = 0
        try:
            mailboxes = await self._store.mailboxes(account.id)
        except Gone:
            return 0  # the account is: whoever adds something will hear of it
        for mailbox in mailboxes:
            try:
                used += (await self._store.counts(mailbox.id)).size
            except Gone:
                continue  # deleted meanwhile, and its messages with it
        return used
