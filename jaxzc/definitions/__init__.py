"""What a proxy or an ingredient is: facts on its decorator, what its signature says, and the resolver, which computes what it asks for."""
