"""Every law eta*(B) that can be fitted: its formula once, its parameters, its source."""
