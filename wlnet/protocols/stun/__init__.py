"""STUN (RFC 8489) with NAT behaviour discovery (RFC 5780), see docs/protocols/stun.md."""
