"""The Widelands relay protocol (docs/protocols/relay.md)."""
