"""What the server says about itself: structured events from a closed list of names."""
