"""Takes mail by SMTP, STARTTLS offered, and hands each message to a function."""

import asyncio
import smtplib

import gatepost

inbox: list[gatepost.SmtpMessage] = []


async def on_message(message: gatepost.SmtpMessage) -> None:
    inbox.append(message)  # returning without a word is a yes: 250


def send(host: str, port: int) -> None:
    with smtplib.SMTP(host, port) as smtp:
        smtp.sendmail("ann@example.net", ["bob@example.org"], "Subject: hello\r\n\r\nIs anybody there?\r\n")


async def main() -> None:
    listener = gatepost.Listener(name="in", protocol="smtp", bind=["127.0.0.1:0"])
    async with gatepost.listen([listener], smtp=on_message) as server:
        await asyncio.to_thread(send, *server.address("in"))
    message = inbox[0]
    print(
        f"from {message.sender} for {message.recipients}, {len(message.content)} octets, by {message.client.source.host}"
    )


asyncio.run(main())
