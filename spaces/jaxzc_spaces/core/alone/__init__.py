"""Networks as Python code that stands alone: it imports JAX and Flax, and nothing of jaxzc."""
