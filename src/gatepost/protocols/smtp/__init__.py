"""SMTP and LMTP, server side: settings in, octets in; events and octets out (RFC 5321, RFC 6409, RFC 2033)."""
