"""Arithmetic over explicit vector lanes, which the compiler would not find in a plain loop.

A compiler may not reorder float additions by itself, so a loop that sums runs one addition at a time. These
intrinsics spell the lanes out as LLVM vectors, which any processor executes as wide as it can. `lane_dot` and
`lane_centre` do without fused multiply-adds: the same bits everywhere.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

LANES = 8

I32 = ir.IntType(32)


def require(dtype: Any, *arrays: Any) -> None:
    """Refuse, at compile time, an argument that is no contiguous array of `dtype`."""
    for kind in arrays:
        if not isinstance(kind, types.Array) or kind.dtype != dtype or kind.layout != "C":
            raise TypingError(f"expected a contiguous array of {dtype}, found {kind}")


def index_of(value: int) -> Any:
    """Return an int64 constant."""
    return ir.Constant(ir.IntType(64), value)


def array_parts(context: Any, builder: Any, kind: Any, value: Any) -> tuple[Any, list[Any]]:
    """Return the data pointer and the shape of an array argument."""
    array = context.make_array(kind)(context, builder, value)
    return array.data, cgutils.unpack_tuple(builder, array.shape)


def load_vector(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    """Load one vector from element `index` on."""
    width = 8 if vector.element == ir.DoubleType() else 4
    return builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), align=width)


def spread(builder: Any, scalar: Any, lanes: int) -> Any:
    """Return a vector that holds one scalar in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def add_pairwise(builder: Any, parts: list[Any]) -> Any:
    """Add the first half to the second half, until one value is left."""
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [builder.fadd(parts[k], parts[k + half]) for k in range(half)]
    return parts[0]


def sum_lanes(builder: Any, lanes: Any) -> Any:
    """Add the eight lanes of a vector pairwise."""
    return add_pairwise(builder, [builder.extract_element(lanes, ir.Constant(I32, k)) for k in range(LANES)])


def row_of(builder: Any, array: tuple[Any, list[Any]], index: Any) -> Any:
    """Return the pointer to array[index]."""
    data, shape = array
    for extent in shape[1:]:
        index = builder.mul(index, extent)
    return builder.gep(data, [index])


@intrinsic
def _lane_dot(typing_context: Any, a: Any, i: Any, b: Any, j: Any) -> Any:
    """Return sum(a[i] * b[j]) for contiguous (., n) float64 arrays, n a multiple of eight."""
    require(types.float64, a, b)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), LANES)
        first = array_parts(context, builder, signature.args[0], args[0])
        second = array_parts(context, builder, signature.args[2], args[2])
        left, right = row_of(builder, first, args[1]), row_of(builder, second, args[3])
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * LANES))
        with cgutils.for_range_slice(builder, index_of(0), first[1][1], index_of(LANES)) as (index, _):
            factors = [load_vector(builder, data, index, vector) for data in (left, right)]
            builder.store(builder.fadd(builder.load(total), builder.fmul(*factors)), total)
        lanes = builder.load(total)
        return add_pairwise(
            builder, [builder.extract_element(lanes, ir.Constant(I32, k)) for k in range(LANES)]
        )

    return types.float64(a, types.int64, b, types.int64), generate


@intrinsic
def _lane_centre(typing_context: Any, rows: Any, p: Any, energies: Any) -> Any:
    """Subtract from the samples rows[p, :energies] their mean and keep the padding zero; return |row|^2.

    rows (., padded E) float64. The sums run as in `lane_dot`.
    """
    require(types.float64, rows)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), LANES)
        array = array_parts(context, builder, signature.args[0], args[0])
        row, size = row_of(builder, array, args[1]), array[1][1]
        zero, step = ir.Constant(vector, [0.0] * LANES), index_of(LANES)
        counter = ir.VectorType(ir.IntType(64), LANES)
        ramp = ir.Constant(counter, list(range(LANES)))
        total = cgutils.alloca_once_value(builder, zero)
        squares = cgutils.alloca_once_value(builder, zero)
        with cgutils.for_range_slice(builder, index_of(0), size, step) as (index, _):
            builder.store(builder.fadd(builder.load(total), load_vector(builder, row, index, vector)), total)
        count = builder.sitofp(args[2], ir.DoubleType())
        mean = spread(builder, builder.fdiv(sum_lanes(builder, builder.load(total)), count), LANES)
        end = spread(builder, args[2], LANES)
        with cgutils.for_range_slice(builder, index_of(0), size, step) as (index, _):
            centred = builder.fsub(load_vector(builder, row, index, vector), mean)
            inside = builder.icmp_signed("<", builder.add(spread(builder, index, LANES), ramp), end)
            centred = builder.select(inside, centred, zero)
            builder.store(centred, builder.bitcast(builder.gep(row, [index]), vector.as_pointer()), align=8)
            builder.store(builder.fadd(builder.load(squares), builder.fmul(centred, centred)), squares)
        return sum_lanes(builder, builder.load(squares))

    return types.float64(rows, types.int64, types.int64), generate


def _each_sample(builder: Any, energies: Any, body: Callable[[Any, int], None]) -> None:
    """Emit body(i, i mod 8) for every sample i."""
    whole = builder.and_(energies, index_of(-LANES))
    with cgutils.for_range_slice(builder, index_of(0), whole, index_of(LANES)) as (first, _):
        for lane in range(LANES):
            body(builder.add(first, index_of(lane)), lane)
    for lane in range(LANES - 1):
        i = builder.add(whole, index_of(lane))
        with builder.if_then(builder.icmp_signed("<", i, energies)):
            body(i, lane)


def _eight_sums(builder: Any, vector: Any) -> tuple[list[Any], Callable[[Any, int], None]]:
    """Return the eight parts of a sum, at zero, and what adds a value to one of them."""
    zero = ir.Constant(vector, [0.0] * LANES)
    parts = [cgutils.alloca_once(builder, vector) for _ in range(LANES)]
    for part in parts:
        builder.store(zero, part)
    return parts, lambda value, lane: builder.store(
        builder.fadd(builder.load(parts[lane]), value), parts[lane]
    )


@intrinsic
def _centre_batch(
    typing_context: Any, tile: Any, p: Any, sums: Any, sites: Any, pair: Any, rows: Any, dots: Any
) -> Any:
    """Set rows (E, 8) to the centred pixels of tile[:E, p : p + 8], and dots (3 or more, 8) from them.

    dots are |row|^2, and the products with sites[pair[0]] and sites[pair[1]]. tile is float32 or float64;
    float32 holds whole numbers, and their sums, sums[p : p + 8], are the same in any order. The others are
    float64. A vector lane is a pixel, and every sum has eight parts: the bits are those of `lane_centre` and
    `lane_dot`.
    """
    require(types.float64, sums, sites, rows, dots)
    require(types.int64, pair)
    require(tile.dtype, tile)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), LANES)
        held = ir.VectorType(context.get_value_type(signature.args[0].dtype), LANES)
        samples, (_, stride) = array_parts(context, builder, signature.args[0], args[0])
        known, _ = array_parts(context, builder, signature.args[2], args[2])
        spectra = array_parts(context, builder, signature.args[3], args[3])
        chosen, _ = array_parts(context, builder, signature.args[4], args[4])
        out, (energies, _) = array_parts(context, builder, signature.args[5], args[5])
        results, _ = array_parts(context, builder, signature.args[6], args[6])

        def pixels(i: Any) -> Any:
            found = load_vector(builder, samples, builder.add(builder.mul(i, stride), args[1]), held)
            return found if held == vector else builder.fpext(found, vector)

        if held == vector:
            totals, add = _eight_sums(builder, vector)
            _each_sample(builder, energies, lambda i, lane: add(pixels(i), lane))
            sum_ = add_pairwise(builder, [builder.load(total) for total in totals])
        else:
            sum_ = load_vector(builder, known, args[1], vector)
        count = spread(builder, builder.sitofp(energies, ir.DoubleType()), LANES)
        mean = builder.fdiv(sum_, count)
        both = [row_of(builder, spectra, builder.load(builder.gep(chosen, [index_of(j)]))) for j in range(2)]
        parts = [_eight_sums(builder, vector) for _ in range(3)]

        def centre(i: Any, lane: int) -> None:
            centred = builder.fsub(pixels(i), mean)
            _put(builder, centred, builder.gep(out, [builder.mul(i, index_of(LANES))]))
            weights = [spread(builder, builder.load(builder.gep(site, [i])), LANES) for site in both]
            for (_, add), factor in zip(parts, (centred, *weights), strict=True):
                add(builder.fmul(centred, factor), lane)

        _each_sample(builder, energies, centre)
        for j, (eight, _) in enumerate(parts):
            total = add_pairwise(builder, [builder.load(part) for part in eight])
            _put(builder, total, builder.gep(results, [index_of(j * LANES)]))
        return context.get_dummy_value()

    return types.void(tile, types.int64, sums, sites, pair, rows, dots), generate


@intrinsic
def _dot_batch(typing_context: Any, rows: Any, sites: Any, k: Any, dots: Any, j: Any) -> Any:
    """Set dots[j] (8,) to rows (E, 8) times sites[k], with the bits of `lane_dot`; all float64."""
    require(types.float64, rows, sites, dots)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), LANES)
        pixels, (energies, _) = array_parts(context, builder, signature.args[0], args[0])
        site = row_of(builder, array_parts(context, builder, signature.args[1], args[1]), args[2])
        out = row_of(builder, array_parts(context, builder, signature.args[3], args[3]), args[4])
        parts, add = _eight_sums(builder, vector)

        def multiply(i: Any, lane: int) -> None:
            weight = spread(builder, builder.load(builder.gep(site, [i])), LANES)
            centred = load_vector(builder, pixels, builder.mul(i, index_of(LANES)), vector)
            add(builder.fmul(centred, weight), lane)

        _each_sample(builder, energies, multiply)
        _put(builder, add_pairwise(builder, [builder.load(part) for part in parts]), out)
        return context.get_dummy_value()

    return types.void(rows, sites, types.int64, dots, types.int64), generate


def _put(builder: Any, value: Any, pointer: Any) -> None:
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=8)


@intrinsic
def _lowest_bit(typing_context: Any, mask: Any) -> Any:
    """Return the position of the lowest set bit of an int64, which must not be 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


lane_dot: Any = _lane_dot
centre_batch: Any = _centre_batch
dot_batch: Any = _dot_batch
lane_centre: Any = _lane_centre
lowest_bit: Any = _lowest_bit
