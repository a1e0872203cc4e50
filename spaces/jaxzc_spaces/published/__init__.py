"""Published networks by name, as in PyTorchCV's list."""

from jaxzc_spaces.published.space import Published

__all__ = ["Published"]
