"""Wire dialects: codec, session machine and thin shell for each."""
