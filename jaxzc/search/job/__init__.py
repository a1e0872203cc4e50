"""A whole search by name, kept in a directory: the request, the scores that are its fitness, the run, what is written."""
