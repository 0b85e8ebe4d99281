"""POP3 (RFC 1939) with CAPA and response codes (RFC 2449, 3206), STLS (RFC 2595) and AUTH (RFC 5034), server side."""
