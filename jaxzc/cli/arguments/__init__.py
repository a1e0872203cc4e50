"""Arguments that several commands have, and what follows from them."""
