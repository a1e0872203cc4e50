"""Processors of this machine, and processes side by side on them."""
