"""What supervisor and workers say to each other: messages, the channel that carries them, the shared counter page."""
