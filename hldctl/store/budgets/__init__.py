"""Budgets: what sessions have spent in a day, week or month, and what those that run may still spend."""
