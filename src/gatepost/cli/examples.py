"""What each command is for, by example: the last lines of its `--help`, and of its section in the manual page."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {  # command → (command line, what it does)
    "get": (
        ("gatepost get NetworkListener", "all listeners"),
        ("gatepost get NetworkListener imap", "one of them, with every property"),
        ("gatepost get Account alice@example.org --json", "for a program"),
    ),
    "query": (
        ("gatepost query NetworkListener --where protocol=imap", "the listeners of one protocol"),
        ("gatepost query Account --text smith", "whose row has that in it, anywhere"),
        ("gatepost query Account --where domainId=example.org --sort -name --limit 20", "the last twenty of a domain"),
        ("gatepost query NetworkListener --columns name,bind,tlsTimeout", "other columns"),
    ),
    "create": (
        (
            "gatepost create NetworkListener --field name=imaps --field protocol=imap --field 'bind=[::]:993' "
            "--field tlsImplicit=true",
            "a listener; what is not given has its default",
        ),
        (
            "gatepost create Account --field name=alice --field domainId=example.org --field password=@-",
            "an account, its password from standard input",
        ),
        (
            "gatepost create Certificate --field name=mail --field certificate=@chain.pem --field privateKey=@key.pem",
            "a certificate from files of this machine",
        ),
    ),
    "update": (
        ("gatepost update NetworkListener imap --field maxConnections=500 --field tlsTimeout=30s", "two properties"),
        ("gatepost update NetworkListener imap --field 'bind/[::]:2143=true' --dry-run", "try one more address"),
        ("gatepost update NetworkListener --where protocol=pop3 --field useTls=true", "all that match"),
        ("gatepost update SystemSettings --field drainTimeout=null", "the settings; back to no value"),
    ),
    "delete": (
        ("gatepost delete NetworkListener pop3 --dry-run", "what would happen"),
        ("gatepost delete BlockedIp --where reason=scan", "all that match"),
    ),
    "describe": (
        ("gatepost describe", "the object types"),
        ("gatepost describe NetworkListener", "what a listener can be told"),
    ),
    "apply": (
        ("gatepost apply mail.ndjson --dry-run", "what would happen, tried on the server"),
        ("gatepost apply common.ndjson mail.ndjson", "two files as one plan"),
        ("gatepost snapshot --exact -o before.ndjson && gatepost apply mail.ndjson", "with a way back"),
    ),
    "snapshot": (
        ("gatepost snapshot -o mail.ndjson", "the whole configuration"),
        ("gatepost snapshot NetworkListener Certificate", "a part of it"),
    ),
    "diff": (
        ("gatepost diff mail.ndjson", "what has been changed since"),
        ("gatepost diff mail.ndjson --json", "for a program; the exit code says whether anything differs"),
    ),
    "check": (("gatepost check mail.ndjson", "before it is applied anywhere, or committed"),),
    "status": (
        ("gatepost status", "all listeners"),
        ("gatepost status smtp", "one, with its socket options as configured and as the kernel has them"),
        ("gatepost status --watch --interval 1", "with rates, until Ctrl-C"),
    ),
    "connections": (
        ("gatepost connections --source 198.51.100.0/24 --protocol imap", "who is connected from there"),
        ("gatepost connections --kill w4242-17", "end one, politely"),
    ),
    "history": (
        ("gatepost history --since 1d", "who has changed what since yesterday"),
        ("gatepost history imap --by olga", "what olga has changed at listeners that are called so"),
        ("gatepost history --show h42", "one change, every property before and after"),
        ("gatepost history --revert h42 --dry-run", "what undoing it would do"),
        ("gatepost history --revert h42", "undo it"),
    ),
    "serve": (
        ("gatepost serve --demo", "try it: loopback, high ports, two accounts"),
        ("gatepost serve --data /var/lib/gatepost --run-as gatepost", "as root, on the well-known ports"),
        ("gatepost serve --data ./data --plan mail.ndjson", "with listeners of your own"),
    ),
    "upgrade": (("gatepost upgrade --data /var/lib/gatepost", "after a newer version was installed"),),
    "completion": (('eval "$(gatepost completion bash)"', "in ~/.bashrc"),),
}


def epilog(command: str) -> str | None:
    """The examples as the end of a help page; a blank line makes typer begin a new one."""
    examples = EXAMPLES.get(command, ())
    if not examples:
        return None
    return "\n\n".join(("Examples:", *(f"  {line}   # {words}" for line, words in examples)))
