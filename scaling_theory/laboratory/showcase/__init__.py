"""Tables computed in the laboratory that show where each law holds and where it breaks."""
