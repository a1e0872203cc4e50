"""Published experiments, repeated with tables of accuracies: what zero-cost proxies save a search that trains."""
