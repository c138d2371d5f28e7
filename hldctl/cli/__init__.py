"""The commands, one a file. The only part of hldctl that prints."""
