"""The entries of a leaf side by side: arithmetic that the compiler would not find in a plain loop."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LEAF = 16
VECTOR = ir.VectorType(ir.DoubleType(), LEAF)
I32, I64 = ir.IntType(32), ir.IntType(64)


def _data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value).data


def _vector(builder: Any, data: Any) -> Any:
    return builder.bitcast(data, VECTOR.as_pointer())


def _spread(builder: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, LEAF), [0] * LEAF)
    return builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), zeros)


@intrinsic
def _add_squares(
    typing_context: Any, y: Any, start: Any, stop: Any, leaves: Any, leaf: Any, limit: Any, sums: Any
) -> Any:
    """Add (y[i] - leaves[leaf, i])**2 to sums (16,) for i from start to stop; say whether one is in limit.

    y (r,), leaves (., r, 16) and sums are contiguous float64; no fused multiply-adds.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        y_data, sum_data = (_data(context, builder, kinds[k], args[k]) for k in (0, 6))
        width = ir.Constant(I64, LEAF)
        axes = cgutils.unpack_tuple(builder, context.make_array(kinds[3])(context, builder, args[3]).shape)[1]
        leaf_data = builder.gep(
            _data(context, builder, kinds[3], args[3]), [builder.mul(args[4], builder.mul(axes, width))]
        )
        total = cgutils.alloca_once_value(builder, builder.load(_vector(builder, sum_data), align=8))
        with cgutils.for_range_slice(builder, args[1], args[2], ir.Constant(I64, 1)) as (i, _):
            here = _vector(builder, builder.gep(leaf_data, [builder.mul(i, width)]))
            place = _spread(builder, builder.load(builder.gep(y_data, [i])))
            gap = builder.fsub(place, builder.load(here, align=8))
            builder.store(builder.fadd(builder.load(total), builder.fmul(gap, gap)), total)
        found = builder.load(total)
        builder.store(found, _vector(builder, sum_data), align=8)
        inside = builder.fcmp_ordered("<=", found, _spread(builder, args[5]))
        mask = builder.bitcast(inside, ir.IntType(LEAF))
        return builder.icmp_unsigned("!=", mask, ir.Constant(ir.IntType(LEAF), 0))

    return types.boolean(y, types.int64, types.int64, leaves, types.int64, types.float64, sums), generate


add_squares: Any = _add_squares
