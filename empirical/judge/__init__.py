"""Whole training runs judged: tables of runs, the optimum of a grid with its interval."""
