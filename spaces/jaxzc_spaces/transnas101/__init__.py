"""TransNAS-Bench-101 (Duan et al., CVPR 2021): the cell-level and the macro-level space."""

from jaxzc_spaces.transnas101.macro import TransNasMacro
from jaxzc_spaces.transnas101.micro import TransNasMicro

__all__ = ["TransNasMacro", "TransNasMicro"]
