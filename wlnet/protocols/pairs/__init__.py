"""The wire protocol of relayed pairs: docs/protocols/pairs.md."""
