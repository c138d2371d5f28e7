"""What can be done with sessions. Everything here returns data; nothing prints."""
