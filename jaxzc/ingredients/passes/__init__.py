"""How an ingredient runs a network and what it makes of a tap's records: the entry of a pass, groups of layers, binary codes."""
