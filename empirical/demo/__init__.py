"""The whole path in one run: train, measure, predict, check against the network itself, show."""
