"""The Sieve language (RFC 5228): reading scripts, and saying what is wrong with them and where."""
