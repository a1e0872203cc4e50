"""Linear algebra, weight initialisers and pytrees."""
