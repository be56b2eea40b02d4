"""The Widelands metaserver protocol (docs/protocols/metaserver.md)."""
