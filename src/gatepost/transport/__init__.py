"""From a readable listening socket to a stream of octets: accept, admission, PROXY header, TLS. Knows no protocol.

One object owns the descriptor from accept to close: `DescriptorTransport`. The stages before the conversation borrow it.
"""
