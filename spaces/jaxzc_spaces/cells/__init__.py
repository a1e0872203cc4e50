"""Cells of a few nodes whose edges carry one operation each, chosen by data inside one compiled program."""
