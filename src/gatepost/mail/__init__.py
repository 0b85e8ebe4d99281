"""Mail between the wire and the store: whose address is it, what is added to a message, where does it go."""
