"""Sessions that sessions launch: who launches them, and what they may at most."""
