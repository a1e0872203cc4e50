"""Finds search spaces and proxies by name, and describes proxies: their settings, cards and costs."""
