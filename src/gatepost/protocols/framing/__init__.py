"""Cutting a stream of octets into lines and counted blocks."""
