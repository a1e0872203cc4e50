"""What a traced program has: layers, activation functions, and whether it normalises."""
