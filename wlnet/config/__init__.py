"""One commented TOML file: schema, loading, rendering."""
