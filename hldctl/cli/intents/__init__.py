"""Commands for sessions of other machines of the fleet, which travel as intents through its record."""
