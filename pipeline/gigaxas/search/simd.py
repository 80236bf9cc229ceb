"""Entries and samples side by side: arithmetic that the compiler would not find in a plain loop."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gigaxas.simd import I32, LANES, array_parts, index_of, load_vector, require, row_of, spread, sum_lanes

LEAF = 16
BLOCK = 32  # samples between two looks at a partial sum
I64 = ir.IntType(64)


@intrinsic
def _add_squares(
    typing_context: Any, y: Any, start: Any, stop: Any, leaves: Any, leaf: Any, limit: Any, sums: Any
) -> Any:
    """Add (y[i] - leaves[leaf, i])**2 to sums (16,) for i from start to stop; say which are within limit.

    Bit e of the answer stands for sums[e]. y (r,), leaves (., r, 16) and sums are contiguous float64. Sums
    may be fused: they are bounds with an allowance for rounding, never returned.
    """
    require(types.float64, y, leaves, sums)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        parts = {k: array_parts(context, builder, signature.args[k], args[k]) for k in (0, 3, 6)}
        vector = ir.VectorType(ir.DoubleType(), LEAF)
        columns, kept = row_of(builder, parts[3], args[4]), parts[6][0]
        kind = ir.FunctionType(vector, [vector] * 3)
        fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{LEAF}f64")
        total = cgutils.alloca_once_value(builder, load_vector(builder, kept, index_of(0), vector))
        with cgutils.for_range_slice(builder, args[1], args[2], index_of(1)) as (i, _):
            here = spread(builder, builder.load(builder.gep(parts[0][0], [i])), LEAF)
            gap = builder.fsub(here, load_vector(builder, columns, builder.mul(i, index_of(LEAF)), vector))
            builder.store(builder.call(fused, [gap, gap, builder.load(total)]), total)
        found = builder.load(total)
        builder.store(found, builder.bitcast(kept, vector.as_pointer()), align=8)
        inside = builder.fcmp_ordered("<=", found, spread(builder, args[5], LEAF))
        return builder.zext(builder.bitcast(inside, ir.IntType(LEAF)), I64)

    return types.int64(y, types.int64, types.int64, leaves, types.int64, types.float64, sums), generate


@intrinsic
def _sum_squares(typing_context: Any, x: Any, entries: Any, n: Any, limit: Any) -> Any:
    """Return the squared distance of x (E,) to entries[n], or a partial sum once it exceeds `limit`.

    With it comes how many samples were taken: a multiple of 32, or all. Eight sums side by side, added
    pairwise and never fused; samples beyond the last multiple of eight go to the first of them.
    """
    require(types.float64, x, entries)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, (size,) = array_parts(context, builder, signature.args[0], args[0])
        right = row_of(builder, array_parts(context, builder, signature.args[1], args[1]), args[2])
        vector = ir.VectorType(ir.DoubleType(), LANES)
        lanes = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        done = cgutils.alloca_once_value(builder, index_of(0))
        beyond = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(1), 0))

        def add(i: Any) -> None:
            gap = builder.fsub(*(load_vector(builder, data, i, vector) for data in (left, right)))
            builder.store(builder.fadd(builder.load(lanes), builder.fmul(gap, gap)), lanes)

        def add_alone(i: Any) -> None:
            gap = builder.fsub(*(builder.load(builder.gep(data, [i])) for data in (left, right)))
            now, first = builder.load(lanes), ir.Constant(I32, 0)
            one = builder.fadd(builder.extract_element(now, first), builder.fmul(gap, gap))
            builder.store(builder.insert_element(now, one, first), lanes)

        blocks = builder.lshr(size, index_of(BLOCK.bit_length() - 1))
        with cgutils.for_range(builder, blocks, intp=I64) as loop:
            start = builder.mul(loop.index, index_of(BLOCK))
            for step in range(0, BLOCK, LANES):
                add(builder.add(start, index_of(step)))
            builder.store(builder.add(start, index_of(BLOCK)), done)
            total = sum_lanes(builder, builder.load(lanes))
            builder.store(builder.fcmp_ordered(">", total, args[3]), beyond)
            with builder.if_then(builder.load(beyond), likely=False):
                loop.do_break()
        stop = builder.select(builder.load(beyond), builder.load(done), size)
        whole = builder.and_(stop, index_of(-LANES))
        with cgutils.for_range_slice(builder, builder.load(done), whole, index_of(LANES)) as (i, _):
            add(i)
        with cgutils.for_range_slice(builder, whole, stop, index_of(1)) as (i, _):
            add_alone(i)
        total = sum_lanes(builder, builder.load(lanes))
        return context.make_tuple(builder, signature.return_type, [total, stop])

    return types.Tuple((types.float64, types.int64))(x, entries, types.int64, types.float64), generate


@intrinsic
def _sum_range(typing_context: Any, rows: Any, n: Any, start: Any, stop: Any) -> Any:
    """Return the sum of rows[n, start:stop], eight sums side by side and what is left after them."""
    require(types.float64, rows)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        row = row_of(builder, array_parts(context, builder, signature.args[0], args[0]), args[1])
        vector = ir.VectorType(ir.DoubleType(), LANES)
        lanes = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        whole = builder.and_(builder.sub(args[3], args[2]), index_of(-LANES))
        end = builder.add(args[2], whole)
        with cgutils.for_range_slice(builder, args[2], end, index_of(LANES)) as (i, _):
            builder.store(builder.fadd(builder.load(lanes), load_vector(builder, row, i, vector)), lanes)
        total = cgutils.alloca_once_value(builder, sum_lanes(builder, builder.load(lanes)))
        with cgutils.for_range_slice(builder, end, args[3], index_of(1)) as (i, _):
            here = builder.load(builder.gep(row, [i]))
            builder.store(builder.fadd(builder.load(total), here), total)
        return builder.load(total)

    return types.float64(rows, types.int64, types.int64, types.int64), generate


add_squares: Any = _add_squares
sum_range: Any = _sum_range
sum_squares: Any = _sum_squares
