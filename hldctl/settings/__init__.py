"""The settings of a session. Each is declared at one field: its option, its key in the configuration, its column."""
