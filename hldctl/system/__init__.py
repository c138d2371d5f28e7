"""Operating system interfaces: files, locks, processes and wake-ups."""
