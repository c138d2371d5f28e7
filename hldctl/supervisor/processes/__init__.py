"""What other processes are: orphans, and those of other sessions, containers and supervisors."""
