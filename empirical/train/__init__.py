"""Text, network and training loop: from bytes to a checkpoint.

Importing this package imports nothing else; `configuration` does without torch.
"""
