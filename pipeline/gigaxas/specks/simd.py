"""The chi-squares of sixteen neighbouring windows of every shape, over explicit vectors."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gigaxas.simd import array_parts, index_of, load_vector, require, spread

WIDTH = 16
"""Windows side by side."""
SIDE = 4
"""Longest side of a window in pixels."""


@intrinsic
def _square_windows(
    typing_context: Any, values: Any, y: Any, x: Any, shares: Any, squares: Any, row: Any, column: Any
) -> Any:
    """Set squares[:, row, column : column + 16] to what the windows from values[:, y, x] on have.

    values (r, h, w) and squares (16, k, l) float32: the sum over axes of the square of the sum over a window,
    by rows and columns of it from 1 x 1 to 4 x 4, times shares (16,) float32. values hold SIDE rows from y on
    and WIDTH + SIDE - 1 columns from x on.
    """
    require(types.float32, values, shares, squares)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), WIDTH)
        kind = ir.FunctionType(vector, [vector] * 3)
        multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{WIDTH}f32")
        given, (axes, height, width) = array_parts(context, builder, signature.args[0], args[0])
        factors, _ = array_parts(context, builder, signature.args[3], args[3])
        out, (_, rows, columns) = array_parts(context, builder, signature.args[4], args[4])
        zero = ir.Constant(vector, [0.0] * WIDTH)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(SIDE * SIDE)]
        for total in sums:
            builder.store(zero, total)
        with cgutils.for_range(builder, axes) as loop:
            high: list[Any] = []
            for h in range(SIDE):
                line = builder.add(builder.mul(loop.index, height), builder.add(args[1], index_of(h)))
                first = builder.add(builder.mul(line, width), args[2])
                here = [
                    load_vector(builder, given, builder.add(first, index_of(w)), vector) for w in range(SIDE)
                ]
                high = [builder.fadd(a, b) for a, b in zip(high, here, strict=True)] if high else here
                wide = None
                for w in range(SIDE):
                    wide = high[w] if wide is None else builder.fadd(wide, high[w])
                    total = sums[SIDE * h + w]
                    builder.store(builder.call(multiply_add, [wide, wide, builder.load(total)]), total)
        for shape, total in enumerate(sums):
            share = spread(builder, builder.load(builder.gep(factors, [index_of(shape)])), WIDTH)
            line = builder.add(builder.mul(index_of(shape), rows), args[5])
            place = builder.gep(out, [builder.add(builder.mul(line, columns), args[6])])
            value = builder.fmul(builder.load(total), share)
            builder.store(value, builder.bitcast(place, vector.as_pointer()), align=4)
        return context.get_dummy_value()

    whole = types.int64
    return types.void(values, whole, whole, shares, squares, whole, whole), generate


square_windows: Any = _square_windows
