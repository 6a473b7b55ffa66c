"""What theories claim of whole training runs, one module per kind of claim.

`table` lists the claims, `predictions` the predictions that run optima are compared with: one
entry there (a name and a function from a cell to ln eta* with its error) is judged, drawn and
written like every other.
"""
