"""The key exchange groups that are offered, in order of preference.

The one place that goes around pyOpenSSL, which has no call for a list of groups. OpenSSL's own default list would also offer
finite-field groups and X448, whose cost to the server a client can ask for almost for free (CVE-2002-20001).
"""

from __future__ import annotations

from OpenSSL import SSL

_HYBRID = "X25519MLKEM768"
_CLASSICAL = "X25519:P-256:P-384:P-521"


class NoGroups(ValueError):
    """The installed OpenSSL, or the call that sets its groups, is not as expected."""


def set_groups(context: SSL.Context) -> None:
    """Offer the hybrid post-quantum group first where OpenSSL has it (3.5 and later), then the elliptic curves.

    Raises NoGroups when the list cannot be set: nothing is served with groups that nobody chose.
    """
    binding = SSL._lib  # type: ignore[attr-defined]  # see above
    try:
        set_list = binding.SSL_CTX_set1_curves_list  # the old name of SSL_CTX_set1_groups_list(3)
        # The slash closes a tuple: whoever can do the hybrid is asked for it, even if it sent a share of another group.
        for groups in (f"{_HYBRID}/{_CLASSICAL}", _CLASSICAL):
            if set_list(context._context, groups.encode()) == 1:
                return
            binding.ERR_clear_error()
    except (AttributeError, TypeError) as error:
        raise NoGroups(f"the TLS library has no call to set the groups of key exchange: {error}") from None
    raise NoGroups("the TLS library takes none of the groups for key exchange")
