"""The page to explore: loss surfaces, league of laws, one-step truth, and a what-if panel."""
