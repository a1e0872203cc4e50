"""Scores of one network, of a search space's architectures, and the sweet gradient interval."""
