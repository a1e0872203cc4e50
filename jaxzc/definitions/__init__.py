"""What a proxy or an ingredient is: facts on its decorator, its docstring, its signature, and the resolver, which computes what it
asks for."""
