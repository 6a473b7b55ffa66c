"""Where the units of a sweep are computed: one module per engine.

Importing this package imports nothing else; `engine` says what the driver needs from an engine.
"""
