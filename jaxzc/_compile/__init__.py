"""Traced programs: reading, cutting, widening and compiling them, and keeping what was compiled on disk."""
