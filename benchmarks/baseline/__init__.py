"""Programs that do the least that has to be done: what hldctl is measured against."""
