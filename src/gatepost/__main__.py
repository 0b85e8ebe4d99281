"""`python -m gatepost`: the command `gatepost` where its script is not on the path."""

from gatepost.cli.main import main

if __name__ == "__main__":
    main()
