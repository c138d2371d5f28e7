"""What several machines share: the record on PostgreSQL, the link that writes it, and reading from it."""
