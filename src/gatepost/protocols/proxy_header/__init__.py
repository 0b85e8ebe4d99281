"""The PROXY protocol, versions 1 and 2 (proxy-protocol.txt of haproxy.org): whom a proxy speaks for.

`decode.decode` is the way in; the transport calls it with octets that it has peeked from the accepted socket.
"""
