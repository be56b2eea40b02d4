"""Ports mapped by the player's own router: PCP, NAT-PMP, UPnP IGD (docs/mapping.md)."""
