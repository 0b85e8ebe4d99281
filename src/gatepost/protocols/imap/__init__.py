"""The server side of IMAP4rev1 (RFC 3501) as a state machine over octets. Knows no store, no socket and no clock."""
