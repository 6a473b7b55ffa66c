"""The parts of a training step that are no matrix products, in C, built on the machine itself."""
