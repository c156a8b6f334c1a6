"""Linear operators on the positions of a feature map, and operators made of operators.

Every spatial attention mechanism is one of them: ``y_i = fuse(x_i, sum_j A(i, j; x) g(x_j))``.
"""

from foveola.attention.algebra.compositions import Product, SideBySide, WindowMeans
from foveola.attention.algebra.criss_cross import CrissCross
from foveola.attention.algebra.operators import Operator, Pointwise, Pooling, SelfAttention, Shared, Sum

__all__ = [
    "CrissCross",
    "Operator",
    "Pointwise",
    "Pooling",
    "Product",
    "SelfAttention",
    "Shared",
    "SideBySide",
    "Sum",
    "WindowMeans",
]
