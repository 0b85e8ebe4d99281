"""Takes mail by LMTP, with a reply for each recipient."""

import asyncio

import gatepost
from gatepost import Reply

QUOTA = {"ann@example.org": 1_000_000, "bob@example.org": 0}  # octets


async def deliver(message: gatepost.SmtpMessage) -> dict[str, Reply]:
    full, taken = Reply(452, "4.2.2", "Mailbox is full"), Reply(250, "2.1.5", "Delivered")
    return {each: taken if QUOTA.get(each, 0) >= len(message.content) else full for each in message.recipients}


async def main() -> None:
    listener = gatepost.Listener(name="in", protocol="lmtp", bind=["127.0.0.1:0"], use_tls=False)
    async with gatepost.listen([listener], lmtp=deliver) as server:
        reader, writer = await asyncio.open_connection(*server.address("in"))
        recipients = "".join(f"RCPT TO:<{each}>\r\n" for each in QUOTA)
        writer.write(f"LHLO me\r\nMAIL FROM:<>\r\n{recipients}DATA\r\n".encode())
        while not (await reader.readline()).startswith(b"354"):
            pass
        writer.write(b"Subject: x\r\n\r\nhello\r\n.\r\n")
        for _ in QUOTA:
            print((await reader.readline()).decode().strip())
        writer.close()


asyncio.run(main())
