"""The horizon experiment: whole-run learning rates over batch size x steps x epsilon."""
