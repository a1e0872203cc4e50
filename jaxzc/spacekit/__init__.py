"""The public toolkit for search spaces, ours and yours: a base class, vectors of genes, and programs made of a plain function."""

from jaxzc.spacekit.functions import FunctionProgram
from jaxzc.spacekit.space import VectorSpace, check_key, genes_of, key_of, program_of, sample_at_most

__all__ = ["FunctionProgram", "VectorSpace", "check_key", "genes_of", "key_of", "program_of", "sample_at_most"]
