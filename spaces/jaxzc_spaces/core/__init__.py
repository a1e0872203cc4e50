"""The toolkit of every space: vectors of genes, sizes, layers, and networks as the engine sees them."""
