"""Player accounts behind an interface."""
