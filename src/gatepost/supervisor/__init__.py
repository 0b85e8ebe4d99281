"""The parent process: keeps the listening sockets, starts and replaces workers, carries changes through. It may hold the
right to bind low ports, so it stays small: it never opens the store and parses nothing that came from the network."""
