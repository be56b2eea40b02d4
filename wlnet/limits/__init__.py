"""What a stranger may cost us: buckets, gates and budgets."""
