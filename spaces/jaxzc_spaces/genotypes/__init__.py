"""Genotypes of two cell types, as in DARTS and NDS: encoding, network and counts."""
