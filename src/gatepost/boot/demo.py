"""What the demonstration has besides its listeners: a domain, two people, some mail. Passwords are kept beside the data,
so that they can be shown at every start."""

from __future__ import annotations

import json
import os
import secrets
import string
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

DOMAIN = "example.org"
PEOPLE = ("alice", "bob")
_PASSWORDS_FILE = "demo-passwords.json"


@dataclass(frozen=True, slots=True)
class DemoMessage:
    """One message in the INBOX of `owner`."""

    owner: str
    content: bytes


def passwords(data_directory: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The passwords of the demonstration's accounts: made at the first start, read at later ones."""
    path = data_directory / _PASSWORDS_FILE
    if path.exists():
        return {str(name): str(password) for name, password in json.loads(path.read_text()).items()}
    made = {name: new_password() for name in names}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(made, file)
    return made


def new_password() -> str:
    """A password that nobody guesses and everybody can type: 95 bits, no sign that a shell or an option parser reads."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))


def messages() -> list[DemoMessage]:
    """A few messages to look at."""
    return [
        DemoMessage("alice", _message("bob", "alice", "Lunch on Thursday?", "The usual place at noon. Bring Carol!\n")),
        DemoMessage("alice", _greeting_in_two_forms()),
        DemoMessage("bob", _message("alice", "bob", "Re: Lunch on Thursday?", "Noon is fine. See you there.\n")),
    ]


def _message(sender: str, recipient: str, subject: str, text: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{sender.title()} <{sender}@{DOMAIN}>"
    message["To"] = f"{recipient.title()} <{recipient}@{DOMAIN}>"
    message["Subject"] = subject
    message["Date"] = "Mon, 02 Nov 2026 09:00:00 +0000"
    message["Message-ID"] = f"<{sender}.{recipient}.{len(subject)}@{DOMAIN}>"
    message.set_content(text)
    return message.as_bytes()


def _greeting_in_two_forms() -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"gatepost <postmaster@{DOMAIN}>"
    message["To"] = f"Alice <alice@{DOMAIN}>"
    message["Subject"] = "Welcome to gatepost \N{EN DASH} grüß dich"
    message["Date"] = "Mon, 02 Nov 2026 08:00:00 +0000"
    message["Message-ID"] = f"<welcome@{DOMAIN}>"
    message.set_content("This message has a text part, an HTML part and an attachment.\n")
    message.add_alternative(
        "<p>This message has a <b>text</b> part, an HTML part and an attachment.</p>", subtype="html"
    )
    message.add_attachment("name,port\nimap,10143\n", filename="listeners.csv", subtype="csv")
    return message.as_bytes()
