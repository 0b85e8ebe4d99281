"""The whole mail server, for the time of a block: a message goes in by SMTP and comes out by IMAP."""

import asyncio
import imaplib
import smtplib
import ssl

import gatepost


def talk(server: gatepost.MailServer) -> None:
    trusting = ssl.create_default_context(cafile=server.certificate_file)
    with smtplib.SMTP("localhost", server.address("smtp").port) as smtp:
        smtp.sendmail("ann@example.net", ["bob@example.org"], "Subject: hello\r\n\r\nIs anybody there?\r\n")
    with imaplib.IMAP4_SSL("localhost", server.address("imaps").port, ssl_context=trusting) as imap:
        imap.login("bob@example.org", "secret")
        print(imap.select())


async def main() -> None:
    async with gatepost.mail_server() as server:
        await server.add_account("bob@example.org", "secret")
        await asyncio.to_thread(talk, server)
        (message,) = await server.messages("bob@example.org")
        print(message["Subject"], message.get_content())


asyncio.run(main())
