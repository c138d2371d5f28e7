"""The commands of a fleet: one group, and what they share."""
