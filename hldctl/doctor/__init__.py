"""What is wrong with hldctl's surroundings and state, and how to mend it."""
