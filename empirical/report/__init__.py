"""The report of a run: a checked record, figures, one self-contained page, a terminal table."""
