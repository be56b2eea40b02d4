"""The agent: direct and punched paths for an unmodified Widelands: docs/agent.md."""
