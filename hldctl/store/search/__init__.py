"""Full-text search: an index in a file of its own, which follows the feed."""
