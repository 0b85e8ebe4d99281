"""ManageSieve (RFC 5804), server side: looking after Sieve scripts from a distance."""
