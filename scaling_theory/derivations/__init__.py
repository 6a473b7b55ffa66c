"""The derivations behind every formula: plain functions that return a tuple of checked steps."""
