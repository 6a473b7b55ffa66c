"""Carrying a tuned learning rate to another batch size or epsilon: the known rules, judged."""
