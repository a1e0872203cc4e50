"""What transformers are made of: layer normalisation, attention with relative positions, blocks, patches."""
