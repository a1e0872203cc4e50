"""A traced program as a `Network`: its layers and activation functions are read and changed where they run."""
