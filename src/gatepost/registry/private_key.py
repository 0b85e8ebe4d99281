"""Reading a private key, in a time that does not depend on who has made it up. Called by the examination of a certificate, and by
`transport` where a context is built. Pure.

The library proves that the primes of an RSA key are primes, which takes half a second with 4096 bits and a minute with 16384, on
the event loop of each worker. Whoever gives a key has it made somewhere else; that its numbers belong together is seen in
microseconds.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def read_private_key(pem: str) -> PrivateKeyTypes:
    """The key. Raises TypeError for one that is encrypted, ValueError and UnsupportedAlgorithm for what is none."""
    return load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)


def is_sound(key: PrivateKeyTypes) -> bool:
    """Whether the numbers of an RSA key belong together (RFC 8017 section 3.2); those of other keys are checked by reading
    them. The key must not be larger than its certificate may have it: the time goes with the square of its size."""
    if not isinstance(key, rsa.RSAPrivateKey):
        return True
    numbers = key.private_numbers()
    public, first, second = numbers.public_numbers, numbers.p - 1, numbers.q - 1
    return (
        min(first, second) > 1
        and numbers.p * numbers.q == public.n
        and 0 < numbers.d < public.n
        and 0 < numbers.dmp1 < numbers.p
        and 0 < numbers.dmq1 < numbers.q
        and 0 < numbers.iqmp < numbers.p
        and all(public.e * numbers.d % each == 1 for each in (first, second))
        and public.e * numbers.dmp1 % first == 1
        and public.e * numbers.dmq1 % second == 1
        and numbers.iqmp * numbers.q % numbers.p == 1
    )
