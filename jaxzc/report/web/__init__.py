"""The report's web page."""
