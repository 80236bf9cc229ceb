"""The screenings over explicit vectors: sixteen sites or sixteen pixels at a time.

Multiply-adds are fused where the processor can; the bounds of layout.py hold with and without. All arrays are
contiguous; `require` refuses others when a kernel is compiled.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gigaxas.simd import I32, LANES, add_pairwise, array_parts, index_of, load_vector, require, row_of, spread

WIDTH = 16  # sites in a block: one row of a block is one 512-bit vector of float32
CHAINS = 4  # independent sums, so that an addition need not wait for the one before
BATCH = 8  # pixels that share one load of a block
HALVES = 2  # vectors of pixels projected together
FACTORS = 10  # numbers a pixel brings to the first screening, an even number
GUESSING = 8  # of them that the first guess takes

SIXTEEN = ir.VectorType(ir.FloatType(), WIDTH)
WHOLE = ir.VectorType(I32, WIDTH)


def _multiply_add(builder: Any) -> Callable[[Any, Any, Any], Any]:
    kind = ir.FunctionType(SIXTEEN, [SIXTEEN] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fmuladd.v16f32")
    return lambda a, b, c: builder.call(function, [a, b, c])


def _scores(builder: Any, point: Any, pitch: Any, sites: Any, axes: Any) -> Any:
    """Emit point (r,) @ sites (r, 16), r a multiple of CHAINS; `pitch` is between numbers of the point."""
    multiply_add = _multiply_add(builder)
    sums = [cgutils.alloca_once_value(builder, ir.Constant(SIXTEEN, [0.0] * WIDTH)) for _ in range(CHAINS)]
    for total in sums:
        builder.store(ir.Constant(SIXTEEN, [0.0] * WIDTH), total)
    with cgutils.for_range_slice(builder, index_of(0), axes, index_of(CHAINS)) as (first, _):
        for chain, total in enumerate(sums):
            row = builder.add(first, index_of(chain))
            factor = spread(builder, builder.load(builder.gep(point, [builder.mul(row, pitch)])), WIDTH)
            column = load_vector(builder, sites, builder.mul(row, index_of(WIDTH)), SIXTEEN)
            builder.store(multiply_add(factor, column, builder.load(total)), total)
    return add_pairwise(builder, [builder.load(total) for total in sums])


def _store(builder: Any, value: Any, pointer: Any) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=4)


@intrinsic
def _score_bounds(
    typing_context: Any,
    points: Any,
    p: Any,
    sites: Any,
    k: Any,
    margins: Any,
    residual: Any,
    lowest: Any,
    bounds: Any,
) -> Any:
    """Set bounds (2, 16) to a block's lower and upper scores; return the mask of upper >= lowest.

    The pixel is column p of points (r, w), with sites (blocks, r, 16) and margins (blocks, 2, 16); the bounds
    are the score less and plus residual * margins[k, 0] + margins[k, 1]. The second screening.
    """
    require(types.float32, points, sites, margins, bounds)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        points, (_, pitch) = array_parts(context, builder, signature.args[0], args[0])
        point = builder.gep(points, [args[1]])
        packed = array_parts(context, builder, signature.args[2], args[2])
        loose = row_of(builder, array_parts(context, builder, signature.args[4], args[4]), args[3])
        out, _ = array_parts(context, builder, signature.args[7], args[7])
        score = _scores(builder, point, pitch, row_of(builder, packed, args[3]), packed[1][1])
        share, error = (load_vector(builder, loose, index_of(start), SIXTEEN) for start in (0, WIDTH))
        width = _multiply_add(builder)(spread(builder, args[5], WIDTH), share, error)
        upper = builder.fadd(score, width)
        _store(builder, builder.fsub(score, width), out)
        _store(builder, upper, builder.gep(out, [index_of(WIDTH)]))
        reached = builder.fcmp_ordered(">=", upper, spread(builder, args[6], WIDTH))
        return builder.zext(builder.bitcast(reached, ir.IntType(WIDTH)), ir.IntType(64))

    kinds = (points, types.int64, sites, types.int64, margins, types.float32, types.float32, bounds)
    return types.int64(*kinds), generate


def _pair_sums(context: Any, builder: Any) -> Callable[[Any, Any, Any], Any]:
    """Return what emits total + left * right, where pairs of int16 are multiplied and added in int32."""
    narrow, wide = ir.VectorType(ir.IntType(16), 2 * WIDTH), ir.VectorType(I32, 2 * WIDTH)
    halves = [ir.Constant(WHOLE, list(range(start, 2 * WIDTH, 2))) for start in range(2)]

    def add(total: Any, left: Any, right: Any) -> Any:
        # one product of 32 numbers: in this form LLVM finds the instruction that multiplies and adds pairs
        factors = [builder.sext(builder.bitcast(pairs, narrow), wide) for pairs in (left, right)]
        products, none = builder.mul(*factors), ir.Constant(wide, ir.Undefined)
        even, odd = (builder.shuffle_vector(products, none, half) for half in halves)
        return builder.add(total, builder.add(even, odd))

    def add_at_once(total: Any, left: Any, right: Any) -> Any:
        # saturating, which no sum needs here: the plain instruction LLVM takes apart into two
        kind = ir.FunctionType(WHOLE, [WHOLE, narrow, narrow])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpdpwssds.512")
        return builder.call(function, [total, *(builder.bitcast(pairs, narrow) for pairs in (left, right))])

    return add_at_once if "+avx512vnni" in context.codegen().magic_tuple()[2] else add


@intrinsic
def _nearest_groups(
    typing_context: Any, factors: Any, first: Any, centres: Any, blocks: Any, found: Any
) -> Any:
    """Set found (8,) to the block, of so many, whose centre scores highest for each of eight pixels.

    The pixels are columns first to first + 7 of factors, as for `screen_lead`; centres (g, 4, 16) are the
    same of sixteen blocks. The last bits of a score make room for the number of its block: a good guess.
    """
    require(types.int32, factors, centres)
    require(types.int64, found)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        points, (_, width) = array_parts(context, builder, signature.args[0], args[0])
        points = builder.gep(points, [args[1]])
        packed = array_parts(context, builder, signature.args[2], args[2])
        out, _ = array_parts(context, builder, signature.args[4], args[4])
        add_pairs = _pair_sums(context, builder)
        most = builder.trunc(builder.mul(packed[1][0], index_of(WIDTH)), I32)
        spare = builder.lshr(I32(-1), builder.ctlz(most, ir.IntType(1)(0)))
        cleared, lanes = spread(builder, builder.not_(spare), WIDTH), ir.Constant(WHOLE, list(range(WIDTH)))
        best = [cgutils.alloca_once(builder, WHOLE) for _ in range(BATCH)]
        for highest in best:
            builder.store(ir.Constant(WHOLE, [-(2**31)] * WIDTH), highest)
        with cgutils.for_range(builder, packed[1][0]) as loop:
            group = row_of(builder, packed, loop.index)
            number = builder.trunc(builder.mul(loop.index, index_of(WIDTH)), I32)
            number = builder.add(spread(builder, number, WIDTH), lanes)
            scores = [ir.Constant(WHOLE, [0] * WIDTH)] * BATCH
            for step in range(GUESSING // 2):
                column = load_vector(builder, group, index_of(step * WIDTH), WHOLE)
                row = builder.gep(points, [builder.mul(width, index_of(step))])
                for pixel in range(BATCH):
                    factor = spread(builder, builder.load(builder.gep(row, [index_of(pixel)])), WIDTH)
                    scores[pixel] = add_pairs(scores[pixel], column, factor)
            for highest, score in zip(best, scores, strict=True):
                score = builder.or_(builder.and_(score, cleared), number)
                higher = builder.icmp_signed(">", score, builder.load(highest))
                builder.store(builder.select(higher, score, builder.load(highest)), highest)
        kind = ir.FunctionType(I32, [WHOLE])
        largest = cgutils.get_or_insert_function(builder.module, kind, "llvm.vector.reduce.smax.v16i32")
        for pixel, highest in enumerate(best):
            number = builder.zext(
                builder.and_(builder.call(largest, [builder.load(highest)]), spare), args[3].type
            )
            last = builder.sub(args[3], index_of(1))
            number = builder.select(builder.icmp_signed("<", number, last), number, last)
            builder.store(number, builder.gep(out, [index_of(pixel)]))
        return context.get_dummy_value()

    return types.void(factors, types.int64, centres, types.int64, found), generate


@intrinsic
def _screen_lead(
    typing_context: Any, factors: Any, reach: Any, first: Any, blocks: Any, k: Any, masks: Any
) -> Any:
    """Set masks (8,) uint16 to the sites of block k that may win for eight pixels; say whether there are any.

    The pixels are columns first to first + 7 of factors (5, w), two int16 in one int32; reach (8,) are the
    scores that a site must reach. A site's upper bound is blocks[k, 0] + blocks[k, 1:] @ factors, with blocks
    (., 6, 16) an error and the factors of sixteen sites; all int32. The first screening.
    """
    require(types.int32, factors, reach, blocks)
    require(types.uint16, masks)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        points, (_, width) = array_parts(context, builder, signature.args[0], args[0])
        points = builder.gep(points, [args[2]])
        thresholds, _ = array_parts(context, builder, signature.args[1], args[1])
        sites = row_of(builder, array_parts(context, builder, signature.args[3], args[3]), args[4])
        out, _ = array_parts(context, builder, signature.args[5], args[5])
        add_pairs = _pair_sums(context, builder)
        bounds = [load_vector(builder, sites, index_of(0), WHOLE)] * BATCH
        for step in range(FACTORS // 2):
            column = load_vector(builder, sites, index_of((step + 1) * WIDTH), WHOLE)
            row = builder.gep(points, [builder.mul(width, index_of(step))])
            for pixel in range(BATCH):
                factor = builder.load(builder.gep(row, [index_of(pixel)]))
                bounds[pixel] = add_pairs(bounds[pixel], column, spread(builder, factor, WIDTH))
        found = []
        for pixel, bound in enumerate(bounds):
            lowest = builder.load(builder.gep(thresholds, [index_of(pixel)]))
            found.append(builder.icmp_signed(">=", bound, spread(builder, lowest, WIDTH)))
            mask = builder.bitcast(found[pixel], ir.IntType(WIDTH))
            builder.store(mask, builder.gep(out, [index_of(pixel)]))
        while len(found) > 1:
            found = [builder.or_(found[i], found[i + 1]) for i in range(0, len(found), 2)]
        return builder.icmp_unsigned("!=", builder.bitcast(found[0], ir.IntType(WIDTH)), ir.IntType(WIDTH)(0))

    return types.boolean(factors, reach, types.int64, blocks, types.int64, masks), generate


@intrinsic
def _load_codes(
    typing_context: Any, block: Any, first: Any, invalid: Any, samples: Any, sums: Any, p: Any
) -> Any:
    """Load sixteen uint16 pixels, block[:, first:], into samples and sums from column p on; False for others.

    samples (E, w) float32 become the codes less the first; sums (3, w) that first, and the sum and the sum of
    squares of the samples, infinite for a pixel with a code `invalid`. Exact below 2^15 energies.
    """
    require(block.dtype, block)
    signature = types.boolean(block, types.int64, types.int32, samples, sums, types.int64)
    if block.dtype != types.uint16:
        return signature, lambda context, builder, signature, args: ir.Constant(ir.IntType(1), 0)
    require(types.float32, samples)
    require(types.float64, sums)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        codes, (energies, pixels) = array_parts(context, builder, signature.args[0], args[0])
        out, (_, width) = array_parts(context, builder, signature.args[3], args[3])
        found, _ = array_parts(context, builder, signature.args[4], args[4])
        longs, doubles = (ir.VectorType(kind, WIDTH // 2) for kind in (ir.IntType(64), ir.DoubleType()))
        half = ir.Constant(longs, [32] * (WIDTH // 2))
        code, bad = spread(builder, args[2], WIDTH), ir.VectorType(ir.IntType(1), WIDTH)
        total = cgutils.alloca_once_value(builder, ir.Constant(WHOLE, [0] * WIDTH))
        squares = [
            cgutils.alloca_once_value(builder, ir.Constant(longs, [0] * (WIDTH // 2))) for _ in range(2)
        ]
        void = cgutils.alloca_once_value(builder, ir.Constant(bad, [0] * WIDTH))
        for sum_ in (total, *squares, void):
            builder.store(ir.Constant(sum_.type.pointee, None), sum_)

        def load(i: Any) -> Any:
            narrow = ir.VectorType(ir.IntType(16), WIDTH)
            place = builder.gep(codes, [builder.add(builder.mul(i, pixels), args[1])])
            return builder.zext(builder.load(builder.bitcast(place, narrow.as_pointer()), align=2), WHOLE)

        origin = load(index_of(0))
        with cgutils.for_range(builder, energies) as loop:
            sample = load(loop.index)
            builder.store(builder.or_(builder.load(void), builder.icmp_signed("==", sample, code)), void)
            sample = builder.sub(sample, origin)
            _store(
                builder,
                builder.sitofp(sample, SIXTEEN),
                builder.gep(out, [builder.add(builder.mul(loop.index, width), args[5])]),
            )
            builder.store(builder.add(builder.load(total), sample), total)
            both = builder.bitcast(sample, longs)
            for sum_, part in zip(squares, (builder.shl(both, half), both), strict=True):
                part = builder.ashr(part, half)
                builder.store(builder.add(builder.load(sum_), builder.mul(part, part)), sum_)
        even, odd = (builder.sitofp(builder.load(sum_), doubles) for sum_ in squares)
        in_turn = ir.Constant(WHOLE, [k // 2 + k % 2 * (WIDTH // 2) for k in range(WIDTH)])
        square = builder.shuffle_vector(even, odd, in_turn)
        endless = ir.Constant(square.type, [float("inf")] * WIDTH)
        square = builder.select(builder.load(void), endless, square)
        rows = (builder.sitofp(origin, square.type), builder.sitofp(builder.load(total), square.type), square)
        for k, row in enumerate(rows):
            place = builder.add(builder.mul(width, index_of(k)), args[5])
            builder.store(row, builder.bitcast(builder.gep(found, [place]), row.type.as_pointer()), align=8)
        return ir.Constant(ir.IntType(1), 1)

    return signature, generate


def _sums_at_once(context: Any) -> tuple[int, int]:
    """Return how many axes and vectors of pixels a pass projects, so that its sums stay in registers."""
    return (LANES, HALVES) if "+avx512f" in context.codegen().magic_tuple()[2] else (LANES // 2, 1)


@intrinsic
def _project(
    typing_context: Any, tile: Any, means: Any, axes: Any, points: Any, pixel: Any, axis: Any
) -> Any:
    """Set points[axis : axis + 8, pixel : pixel + 32] to axes.T @ (tile - means) there, in float32.

    tile (E or more, w) float32 or float64, means (w,), axes (E, r) and points (r, w) float32.
    """
    require(types.float32, means, axes, points)
    require(tile.dtype, tile)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        samples, (_, stride) = array_parts(context, builder, signature.args[0], args[0])
        mean, _ = array_parts(context, builder, signature.args[1], args[1])
        weights, (energies, count) = array_parts(context, builder, signature.args[2], args[2])
        out, (_, width) = array_parts(context, builder, signature.args[3], args[3])
        held = ir.VectorType(context.get_value_type(signature.args[0].dtype), WIDTH)
        multiply_add = _multiply_add(builder)
        zero = ir.Constant(SIXTEEN, [0.0] * WIDTH)

        def sum_products(axes: list[Any], columns: list[Any]) -> None:
            """Emit one pass over the energies for some axes and vectors of pixels."""
            shifts = [load_vector(builder, mean, column, SIXTEEN) for column in columns]
            sums = [[cgutils.alloca_once_value(builder, zero) for _ in columns] for _ in axes]
            with cgutils.for_range(builder, energies) as loop:
                row, first = builder.mul(loop.index, stride), builder.mul(loop.index, count)
                values = [load_vector(builder, samples, builder.add(row, column), held) for column in columns]
                if held != SIXTEEN:
                    values = [builder.fptrunc(value, SIXTEEN) for value in values]
                centred = [builder.fsub(value, by) for value, by in zip(values, shifts, strict=True)]
                for axis, totals in zip(axes, sums, strict=True):
                    weight = builder.load(builder.gep(weights, [builder.add(first, axis)]))
                    weight = spread(builder, weight, WIDTH)
                    for value, total in zip(centred, totals, strict=True):
                        builder.store(multiply_add(weight, value, builder.load(total)), total)
            for axis, totals in zip(axes, sums, strict=True):
                for column, total in zip(columns, totals, strict=True):
                    place = builder.add(builder.mul(axis, width), column)
                    _store(builder, builder.load(total), builder.gep(out, [place]))

        lanes, halves = _sums_at_once(context)
        for lane in range(0, LANES, lanes):
            for half in range(0, HALVES, halves):
                sum_products(
                    [builder.add(args[5], index_of(lane + k)) for k in range(lanes)],
                    [builder.add(args[4], index_of((half + k) * WIDTH)) for k in range(halves)],
                )
        return context.get_dummy_value()

    return types.void(tile, means, axes, points, types.int64, types.int64), generate


@intrinsic
def _largest(typing_context: Any, bounds: Any) -> Any:
    """Return the largest of bounds[0], sixteen float32."""
    require(types.float32, bounds)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values, _ = array_parts(context, builder, signature.args[0], args[0])
        kind = ir.FunctionType(ir.FloatType(), [SIXTEEN])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.vector.reduce.fmax.v16f32")
        return builder.call(function, [load_vector(builder, values, index_of(0), SIXTEEN)])

    return types.float32(bounds), generate


load_codes: Any = _load_codes
project: Any = _project
nearest_groups: Any = _nearest_groups
score_bounds: Any = _score_bounds
screen_lead: Any = _screen_lead
largest: Any = _largest
