"""Judges senders and recipients one by one, and checks logins."""

import asyncio
import smtplib
import ssl

import gatepost
from gatepost import Reply

PASSWORDS = {"ann": "correct horse"}


class Shop(gatepost.SmtpHandler):
    async def recipient(self, recipient: str, sender: str, client: gatepost.SmtpClient) -> Reply | None:
        if recipient.endswith("@shop.example") or client.login_name is not None:
            return None
        return Reply(550, "5.7.1", "Log in to send to others")

    async def message(self, message: gatepost.SmtpMessage) -> Reply:
        order = 1 + message.content.count(b"\r\nItem: ")
        return Reply(250, "2.0.0", f"Taken as order {order}")


async def authenticate(name: str, password: str, client: gatepost.SmtpClient) -> bool:
    return PASSWORDS.get(name) == password  # gatepost asks under TLS only


def talk(port: int, certificate: str) -> None:
    with smtplib.SMTP("localhost", port) as smtp:
        smtp.starttls(context=ssl.create_default_context(cadata=certificate))
        try:
            smtp.sendmail("ann@shop.example", ["bob@elsewhere.example"], "Subject: x\r\n")
        except smtplib.SMTPRecipientsRefused as refused:
            print(refused.recipients)
        smtp.login("ann", "correct horse")
        smtp.sendmail("ann@shop.example", ["bob@elsewhere.example"], "Subject: x\r\n")


async def main() -> None:
    listener = gatepost.Listener(name="in", protocol="smtp", bind=["127.0.0.1:0"], max_connections=100)
    async with gatepost.listen([listener], smtp=Shop(), authenticate=authenticate) as server:
        await asyncio.to_thread(talk, server.address("in").port, server.certificate)


asyncio.run(main())
