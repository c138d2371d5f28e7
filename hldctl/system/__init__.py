"""What hldctl asks of the operating system: paths, locks, processes, and being woken."""
