"""The record on PostgreSQL: its schema, and queries."""
