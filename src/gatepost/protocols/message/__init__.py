"""Internet messages as octets: where their parts begin and end (RFC 5322, RFC 2045-2047). Pure; never raises for mail."""
