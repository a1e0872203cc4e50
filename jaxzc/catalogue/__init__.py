"""What there is: search spaces by name, proxies by name and setting, their cards and their costs."""
