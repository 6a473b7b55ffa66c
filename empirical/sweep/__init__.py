"""Sweeps: what is wanted next, the store of what is known, the driver between them.

Importing this package imports nothing else, and no module of it needs torch; training happens in
the processes that the executors start.
"""
