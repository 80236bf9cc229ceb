"""Sums over explicit vector lanes: the same additions in the same order on every processor.

The compiler may not reorder float additions by itself, so a plain loop runs one addition at a time. These
intrinsics spell the lanes out as LLVM vectors, which any processor executes as wide as it can, without fused
multiply-adds, and so with identical bits everywhere.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8


def _data_and_size(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, Any]:
    array = context.make_array(kind)(context, builder, value)
    return array.data, cgutils.unpack_tuple(builder, array.shape)[0]


def _load(builder: Any, data: Any, index: Any, vector: Any, align: int) -> Any:
    return builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), align=align)


def _add_pairwise(builder: Any, lanes: Any) -> Any:
    parts = [builder.extract_element(lanes, ir.Constant(ir.IntType(32), k)) for k in range(LANES)]
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [builder.fadd(parts[k], parts[k + half]) for k in range(half)]
    return parts[0]


@intrinsic
def _lane_dot(typing_context: Any, a: Any, b: Any) -> Any:
    """Return sum(a * b) of two contiguous float64 rows whose length is a multiple of eight."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), LANES)
        left, size = _data_and_size(context, builder, signature.args[0], args[0])
        right, _ = _data_and_size(context, builder, signature.args[1], args[1])
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        zero, step = ir.Constant(size.type, 0), ir.Constant(size.type, LANES)
        with cgutils.for_range_slice(builder, zero, size, step) as (index, _):
            product = builder.fmul(
                _load(builder, left, index, vector, 8), _load(builder, right, index, vector, 8)
            )
            builder.store(builder.fadd(builder.load(total), product), total)
        return _add_pairwise(builder, builder.load(total))

    return types.float64(a, b), generate


lane_dot: Any = _lane_dot
