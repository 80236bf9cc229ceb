"""Arithmetic over explicit vector lanes, which the compiler would not find in a plain loop.

A compiler may not reorder float additions by itself, so a loop that sums runs one addition at a time. These
intrinsics spell the lanes out as LLVM vectors, which any processor executes as wide as it can. `lane_dot` does
without fused multiply-adds: the same bits everywhere. The two others serve the screening, whose bounds hold with
and without them.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8
WIDTH = 16  # sites in a block, pixels are many: one block row is one 512-bit vector of float32
CHAINS = 4  # independent sums, so that an addition need not wait for the one before
BATCH = 8  # pixels that share one load of a block
FACTORS = 10  # numbers a pixel brings to the first screening

I32 = ir.IntType(32)
SIXTEEN = ir.VectorType(ir.FloatType(), WIDTH)


def _index(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


def _array(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, list[Any]]:
    array = context.make_array(kind)(context, builder, value)
    return array.data, cgutils.unpack_tuple(builder, array.shape)


def _load(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    width = 8 if vector.element == ir.DoubleType() else 4
    return builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), align=width)


def _spread(builder: Any, scalar: Any) -> Any:
    one = builder.insert_element(ir.Constant(SIXTEEN, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(one, ir.Constant(SIXTEEN, ir.Undefined), zeros)


def _multiply_add(builder: Any) -> Callable[[Any, Any, Any], Any]:
    kind = ir.FunctionType(SIXTEEN, [SIXTEEN] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.v16f32")
    return lambda a, b, c: builder.call(function, [a, b, c])


def _add_pairwise(builder: Any, parts: list[Any]) -> Any:
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [builder.fadd(parts[k], parts[k + half]) for k in range(half)]
    return parts[0]


def _row(builder: Any, array: tuple[Any, list[Any]], index: Any) -> Any:
    data, shape = array
    for extent in shape[1:]:
        index = builder.mul(index, extent)
    return builder.gep(data, [index])


@intrinsic
def _lane_dot(typing_context: Any, a: Any, i: Any, b: Any, j: Any) -> Any:
    """Return sum(a[i] * b[j]) for contiguous (., n) arrays of one float type, n a multiple of eight."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(context.get_value_type(signature.args[0].dtype), LANES)
        first = _array(context, builder, signature.args[0], args[0])
        second = _array(context, builder, signature.args[2], args[2])
        left, right = _row(builder, first, args[1]), _row(builder, second, args[3])
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        with cgutils.for_range_slice(builder, _index(0), first[1][1], _index(LANES)) as (index, _):
            factors = [_load(builder, data, index, vector) for data in (left, right)]
            builder.store(builder.fadd(builder.load(total), builder.fmul(*factors)), total)
        lanes = builder.load(total)
        return _add_pairwise(builder, [builder.extract_element(lanes, ir.Constant(I32, k)) for k in range(LANES)])

    return a.dtype(a, types.int64, b, types.int64), generate


@intrinsic
def _block_scores(typing_context: Any, points: Any, pixel: Any, blocks: Any, block: Any, scores: Any) -> Any:
    """Set scores (16,) to points[pixel, :r] @ blocks[block], blocks (k, r, 16), r a multiple of four; float32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        point = _row(builder, _array(context, builder, signature.args[0], args[0]), args[1])
        packed = _array(context, builder, signature.args[2], args[2])
        sites = _row(builder, packed, args[3])
        out, _ = _array(context, builder, signature.args[4], args[4])
        multiply_add = _multiply_add(builder)
        zero = ir.Constant(SIXTEEN, [0.0] * WIDTH)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(CHAINS)]
        with cgutils.for_range_slice(builder, _index(0), packed[1][1], _index(CHAINS)) as (first, _):
            for chain, total in enumerate(sums):
                row = builder.add(first, _index(chain))
                factor = _spread(builder, builder.load(builder.gep(point, [row])))
                column = _load(builder, sites, builder.mul(row, _index(WIDTH)), SIXTEEN)
                builder.store(multiply_add(factor, column, builder.load(total)), total)
        result = _add_pairwise(builder, [builder.load(total) for total in sums])
        builder.store(result, builder.bitcast(out, SIXTEEN.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(points, types.int64, blocks, types.int64, scores), generate


@intrinsic
def _reach(
    typing_context: Any, factors: Any, floors: Any, rank: Any, blocks: Any, block: Any, masks: Any
) -> Any:
    """Set masks (8,) uint16 to the sites of a block whose upper bound reaches each pixel's floor; any at all?

    factors (8, f), floors (ranks, 8), blocks (k, f + 1, 16); bounds are blocks[block, 0] + factors @ blocks[block, 1:].
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        points, _ = _array(context, builder, signature.args[0], args[0])
        lowest = _row(builder, _array(context, builder, signature.args[1], args[1]), args[2])
        sites = _row(builder, _array(context, builder, signature.args[3], args[3]), args[4])
        out, _ = _array(context, builder, signature.args[5], args[5])
        multiply_add = _multiply_add(builder)
        bounds = [_load(builder, sites, _index(0), SIXTEEN)] * BATCH
        for step in range(FACTORS):
            column = _load(builder, sites, _index((step + 1) * WIDTH), SIXTEEN)
            for pixel in range(BATCH):
                place = builder.gep(points, [_index(pixel * FACTORS + step)])
                bounds[pixel] = multiply_add(_spread(builder, builder.load(place)), column, bounds[pixel])
        any_reach = ir.Constant(ir.IntType(WIDTH), 0)
        for pixel, bound in enumerate(bounds):
            floor = _spread(builder, builder.load(builder.gep(lowest, [_index(pixel)])))
            reached = builder.fcmp_ordered(">=", bound, floor)
            mask = builder.bitcast(reached, ir.IntType(WIDTH))
            builder.store(mask, builder.gep(out, [_index(pixel)]))
            any_reach = builder.or_(any_reach, mask)
        return builder.icmp_unsigned("!=", any_reach, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(factors, floors, types.int64, blocks, types.int64, masks), generate


lane_dot: Any = _lane_dot
block_scores: Any = _block_scores
reach: Any = _reach
