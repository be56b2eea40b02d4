"""The command line: wlnet."""
