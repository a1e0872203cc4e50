"""Networks as steps of padded widths (`jaxzc.spacekit.steps`): their operations, and what builds chains and graphs of them."""
