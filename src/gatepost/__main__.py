"""The command `gatepost`, and `python -m gatepost` where its script is not on the path. Loads what it needs as late as it can."""

from __future__ import annotations

_INTERRUPTED = 130  # 128 and SIGINT, as a shell counts it


def main() -> None:
    """Run the command. Ctrl-C is answered by going, while it loads too."""
    try:
        from gatepost.cli.main import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


if __name__ == "__main__":
    main()
