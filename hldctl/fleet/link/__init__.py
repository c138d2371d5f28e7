"""The link, one process a machine: it copies the feed of the local database to the record."""
