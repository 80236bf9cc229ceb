"""Sums over pixels and windows in explicit vector lanes, each of which is a pixel or a window.

What a lane adds up it keeps in registers from the first energy to the last; see `gigaxas.simd`.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gigaxas.simd import I32, array_parts, index_of, require, spread

WIDTH = 16
"""Pixels, or windows, that are worked off together."""
_ROUND = 1.5 * 2.0**52  # added and taken away again, it leaves the nearest whole number

_FLOATS, _DOUBLES = ir.VectorType(ir.FloatType(), WIDTH), ir.VectorType(ir.DoubleType(), WIDTH)
_INTS, _SHORTS = ir.VectorType(ir.IntType(32), WIDTH), ir.VectorType(ir.IntType(16), WIDTH)
_BYTES, _BITS = ir.VectorType(ir.IntType(8), WIDTH), ir.VectorType(ir.IntType(1), WIDTH)


def whole_lanes(count: int) -> int:
    """Return the smallest multiple of WIDTH that is no less than `count`."""
    return -(-count // WIDTH) * WIDTH


def _load(builder: Any, data: Any, index: Any, vector: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(data, [index]), vector.as_pointer()), align=1)


def _store(builder: Any, value: Any, data: Any, index: Any) -> None:
    builder.store(value, builder.bitcast(builder.gep(data, [index]), value.type.as_pointer()), align=1)


def _zero(vector: Any) -> Any:
    return ir.Constant(vector, [0] * WIDTH)


def _sum_lanes(builder: Any, value: Any) -> Any:
    """Return the sum of the lanes of a vector, half of them added to the other half until one is left."""
    count = value.type.count
    while count > 1:
        count //= 2
        lanes = ir.VectorType(I32, count)
        parts = [ir.Constant(lanes, list(range(start, start + count))) for start in (0, count)]
        value = builder.fadd(*(builder.shuffle_vector(value, value, part) for part in parts))
    return builder.extract_element(value, ir.Constant(I32, 0))


class _Register:
    """A vector that changes in a loop."""

    def __init__(self, builder: Any, vector: Any) -> None:
        self.builder, self.place = builder, cgutils.alloca_once(builder, vector)
        builder.store(_zero(vector), self.place)

    @property
    def value(self) -> Any:
        return self.builder.load(self.place)

    @value.setter
    def value(self, value: Any) -> None:
        self.builder.store(value, self.place)

    def add(self, value: Any) -> None:
        """Add a vector of whole or of floating-point numbers."""
        plus = self.builder.add if isinstance(value.type.element, ir.IntType) else self.builder.fadd
        self.value = plus(self.value, value)


def _as_doubles(builder: Any, value: Any, kind: Any) -> Any:
    """Return samples of a Numba type as a vector of doubles."""
    if kind == types.float64:
        return value
    if isinstance(kind, types.Float):
        return builder.fpext(value, _DOUBLES)
    return (builder.sitofp if kind.signed else builder.uitofp)(value, _DOUBLES)


@intrinsic
def _sum_pixels(typing_context: Any, held: Any, p: Any, invalid: Any, sums: Any, marked: Any) -> Any:
    """Set sums[1:3, p : p + 16] to the sums of held[:, p : p + 16] - sums[0] and of their squares.

    held is (E, n) of any numbers, sums (3, n) float64; marked (n,) becomes True where a sample is `invalid`.
    """
    require(types.float64, sums)
    require(types.boolean, marked)
    require(held.dtype, held)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(context.get_value_type(held.dtype), WIDTH)
        samples, (energies, pitch) = array_parts(context, builder, signature.args[0], args[0])
        out, (_, width) = array_parts(context, builder, signature.args[3], args[3])
        flags, _ = array_parts(context, builder, signature.args[4], args[4])
        first, mark = _load(builder, out, args[1], _DOUBLES), spread(builder, args[2], WIDTH)
        total, square, found = (_Register(builder, kind) for kind in (_DOUBLES, _DOUBLES, _BITS))
        with cgutils.for_range(builder, energies) as loop:
            place = builder.add(builder.mul(loop.index, pitch), args[1])
            sample = _as_doubles(builder, _load(builder, samples, place, vector), held.dtype)
            away = builder.fsub(sample, first)
            total.add(away)
            square.add(builder.fmul(away, away))
            found.value = builder.or_(found.value, builder.fcmp_ordered("==", sample, mark))
        _store(builder, total.value, out, builder.add(width, args[1]))
        _store(builder, square.value, out, builder.add(builder.mul(width, index_of(2)), args[1]))
        _store(builder, builder.zext(found.value, _BYTES), flags, args[1])
        return context.get_dummy_value()

    return types.void(held, types.int64, types.float64, sums, marked), generate


@intrinsic
def _round_pixels(
    typing_context: Any, held: Any, p: Any, scale: Any, samples: Any, y: Any, x: Any, products: Any
) -> Any:
    """Set samples[:, y, x : x + 16] to (held[:, p : p + 16] - scale[0]) * scale[1], rounded.

    held is (E, n) of any numbers, scale (2, n) float64, samples (E, h, w) int16. Sets products[:, p : p + 16]
    (3, n) int32 to the sums of the samples' squares, of the squares of the sums of three neighbours, and of
    the products of samples two and three energies apart.
    """
    require(types.float64, scale)
    require(types.int16, samples)
    require(types.int32, products)
    require(held.dtype, held)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.VectorType(context.get_value_type(held.dtype), WIDTH)
        source, (energies, pitch) = array_parts(context, builder, signature.args[0], args[0])
        scales, (_, width) = array_parts(context, builder, signature.args[2], args[2])
        target, (_, height, row) = array_parts(context, builder, signature.args[3], args[3])
        out, (_, side) = array_parts(context, builder, signature.args[6], args[6])
        mean = _load(builder, scales, args[1], _DOUBLES)
        factor = _load(builder, scales, builder.add(width, args[1]), _DOUBLES)
        rounding = ir.Constant(_DOUBLES, [_ROUND] * WIDTH)
        square, smooth, product = (_Register(builder, _INTS) for _ in range(3))
        one, two, three = (_Register(builder, _SHORTS) for _ in range(3))
        start = builder.add(builder.mul(args[4], row), args[5])

        def multiply(factor: Any, other: Any) -> Any:
            return builder.mul(builder.sext(factor, _INTS), builder.sext(other, _INTS))

        with cgutils.for_range(builder, energies) as loop:
            place = builder.add(builder.mul(loop.index, pitch), args[1])
            value = _as_doubles(builder, _load(builder, source, place, vector), held.dtype)
            value = builder.fadd(builder.fmul(builder.fsub(value, mean), factor), rounding)
            here = builder.trunc(builder.fptosi(builder.fsub(value, rounding), _INTS), _SHORTS)
            there = builder.add(builder.mul(loop.index, builder.mul(height, row)), start)
            _store(builder, here, target, there)
            square.add(multiply(here, here))
            around = builder.add(builder.add(two.value, one.value), here)
            smooth.add(multiply(around, around))
            product.add(multiply(here, builder.add(two.value, three.value)))
            three.value, two.value, one.value = two.value, one.value, here
        pair = builder.add(one.value, two.value)
        smooth.add(multiply(pair, pair))
        head = _load(builder, target, start, _SHORTS)
        whole = builder.sub(smooth.value, multiply(head, head))  # begun before the first energy
        for number, value in enumerate((square.value, whole, product.value)):
            _store(builder, value, out, builder.add(builder.mul(side, index_of(number)), args[1]))
        return context.get_dummy_value()

    arguments = (held, types.int64, scale, samples, types.int64, types.int64, products)
    return types.void(*arguments), generate


@intrinsic
def _slide_columns(
    typing_context: Any, columns: Any, moments: Any, samples: Any, old: Any, new: Any, k_size: Any
) -> Any:
    """Move sums and first moments over k_size rows, (E, n) float32, one row down.

    Row `old` of the samples (E, h, w) int16 leaves them and row `new` enters; w is a multiple of 16.
    """
    require(types.float32, columns, moments)
    require(types.int16, samples)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        column, (energies, pitch) = array_parts(context, builder, signature.args[0], args[0])
        moment, _ = array_parts(context, builder, signature.args[1], args[1])
        source, (_, height, row) = array_parts(context, builder, signature.args[2], args[2])
        _, _, _, leaves, enters, k_size = args
        half = builder.sitofp(builder.sdiv(k_size, index_of(2)), ir.FloatType())
        entering = spread(builder, half, WIDTH)
        leaving = spread(builder, builder.fadd(half, ir.Constant(ir.FloatType(), 1.0)), WIDTH)

        def line(energy: Any, at: Any) -> Any:
            return builder.gep(source, [builder.mul(builder.add(builder.mul(energy, height), at), row)])

        with cgutils.for_range(builder, energies) as loop:
            first, last = line(loop.index, leaves), line(loop.index, enters)
            start = builder.mul(loop.index, pitch)
            with cgutils.for_range_slice(builder, index_of(0), row, index_of(WIDTH)) as (x, _):
                place = builder.add(start, x)
                before, whole = (_load(builder, data, place, _FLOATS) for data in (moment, column))
                out, into = (
                    builder.sitofp(_load(builder, data, x, _SHORTS), _FLOATS) for data in (first, last)
                )
                moved = builder.fsub(builder.fadd(before, builder.fmul(leaving, out)), whole)
                _store(builder, builder.fadd(moved, builder.fmul(entering, into)), moment, place)
                _store(builder, builder.fadd(whole, builder.fsub(into, out)), column, place)
        return context.get_dummy_value()

    arguments = (columns, moments, samples, types.int64, types.int64, types.int64)
    return types.void(*arguments), generate


@intrinsic
def _sum_windows(
    typing_context: Any, columns: Any, moments: Any, x: Any, half: Any, total: Any, sums: Any
) -> Any:
    """Sum the 2 half + 1 columns of 16 windows, from window x on; columns and moments are (E, w) float32.

    Sets total[:, x : x + 16] (E, n) float32, and sums[:, x : x + 16] (4, n) float64: the squares of the
    total, of its sums over three neighbouring energies, the products of totals two and three energies apart,
    and the squares of the first moments, across and down, of sums over three energies.
    """
    require(types.float32, columns, moments, total)
    require(types.float64, sums)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        column, (energies, pitch) = array_parts(context, builder, signature.args[0], args[0])
        moment, _ = array_parts(context, builder, signature.args[1], args[1])
        out, (_, width) = array_parts(context, builder, signature.args[4], args[4])
        found, (_, side) = array_parts(context, builder, signature.args[5], args[5])
        middle = builder.add(args[2], args[3])
        square, smooth, product = (_Register(builder, _DOUBLES) for _ in range(3))
        contrast, one, two, three = (_Register(builder, _FLOATS) for _ in range(4))
        shifted = [[_Register(builder, _FLOATS) for _ in range(2)] for _ in range(2)]
        rolled = [_Register(builder, _FLOATS) for _ in range(3)]

        def add_square(register: _Register, factor: Any, other: Any) -> None:
            register.add(builder.fmul(builder.fpext(factor, _DOUBLES), builder.fpext(other, _DOUBLES)))

        def add_smoothed(now: Any, moments: list[Any], energy: Any) -> None:
            """Add what is summed over the three energies before this one, of which there must be two."""
            with builder.if_then(builder.icmp_signed(">", energy, index_of(0))):
                around = builder.fadd(builder.fadd(now, one.value), two.value)
                add_square(smooth, around, around)
                for value, (last, before) in zip(moments, shifted, strict=True):
                    whole = builder.fadd(builder.fadd(value, last.value), before.value)
                    contrast.add(builder.fmul(whole, whole))
            for value, (last, before) in zip(moments, shifted, strict=True):
                before.value, last.value = last.value, value

        with cgutils.for_range(builder, energies) as loop:
            place = builder.add(builder.mul(loop.index, pitch), middle)
            whole, across, down = rolled
            whole.value, down.value = (_load(builder, data, place, _FLOATS) for data in (column, moment))
            across.value = _zero(_FLOATS)
            with cgutils.for_range(builder, args[3]) as side_loop:
                away = builder.add(side_loop.index, index_of(1))
                lever = spread(builder, builder.sitofp(away, ir.FloatType()), WIDTH)
                left, right = builder.sub(place, away), builder.add(place, away)
                one_side, other_side = (_load(builder, column, at, _FLOATS) for at in (left, right))
                whole.add(builder.fadd(one_side, other_side))
                across.add(builder.fmul(lever, builder.fsub(other_side, one_side)))
                down.add(builder.fadd(*(_load(builder, moment, at, _FLOATS) for at in (left, right))))
            now = whole.value
            _store(builder, now, out, builder.add(builder.mul(loop.index, width), args[2]))
            add_square(square, now, now)
            add_square(product, now, builder.fadd(two.value, three.value))
            add_smoothed(now, [across.value, down.value], loop.index)
            three.value, two.value, one.value = two.value, one.value, now
        add_smoothed(_zero(_FLOATS), [_zero(_FLOATS)] * 2, energies)
        contrasts = builder.fpext(contrast.value, _DOUBLES)
        for number, value in enumerate((square.value, smooth.value, product.value, contrasts)):
            _store(builder, value, found, builder.add(builder.mul(side, index_of(number)), args[2]))
        return context.get_dummy_value()

    arguments = (columns, moments, types.int64, types.int64, total, sums)
    return types.void(*arguments), generate


@intrinsic
def _square_distances(typing_context: Any, total: Any, x: Any, centre: Any, factor: Any, squares: Any) -> Any:
    """Set squares[x : x + 16] to the squared lengths of total[:, x : x + 16] * factor - centre, in float32.

    total is (E, n) float32, centre (E,) or longer, and squares (n,) float32.
    """
    require(types.float32, total, centre, squares)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals, (energies, width) = array_parts(context, builder, signature.args[0], args[0])
        centres, _ = array_parts(context, builder, signature.args[2], args[2])
        out, _ = array_parts(context, builder, signature.args[4], args[4])
        scale = spread(builder, builder.fptrunc(args[3], ir.FloatType()), WIDTH)
        square = _Register(builder, _FLOATS)
        with cgutils.for_range(builder, energies) as loop:
            place = builder.add(builder.mul(loop.index, width), args[1])
            middle = spread(builder, builder.load(builder.gep(centres, [loop.index])), WIDTH)
            away = builder.fsub(builder.fmul(_load(builder, totals, place, _FLOATS), scale), middle)
            square.add(builder.fmul(away, away))
        _store(builder, square.value, out, args[1])
        return context.get_dummy_value()

    return types.void(total, types.int64, centre, types.float64, squares), generate


@intrinsic
def _sum_marked(typing_context: Any, total: Any, start: Any, stop: Any, marks: Any, sums: Any) -> Any:
    """Set sums (E,) or longer, float64, to total[:, start:stop] @ marks[start:stop], both multiples of 16.

    total is (E, n) and marks (n,) float32.
    """
    require(types.float32, total, marks)
    require(types.float64, sums)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        totals, (energies, width) = array_parts(context, builder, signature.args[0], args[0])
        marked, _ = array_parts(context, builder, signature.args[3], args[3])
        out, _ = array_parts(context, builder, signature.args[4], args[4])
        part = _Register(builder, _FLOATS)
        with cgutils.for_range(builder, energies) as loop:
            line = builder.gep(totals, [builder.mul(loop.index, width)])
            part.value = _zero(_FLOATS)
            with cgutils.for_range_slice(builder, args[1], args[2], index_of(WIDTH)) as (x, _):
                part.add(builder.fmul(*(_load(builder, data, x, _FLOATS) for data in (line, marked))))
            whole = _sum_lanes(builder, builder.fpext(part.value, _DOUBLES))
            builder.store(whole, builder.gep(out, [loop.index]))
        return context.get_dummy_value()

    return types.void(total, types.int64, types.int64, marks, sums), generate


slide_columns: Any = _slide_columns
square_distances: Any = _square_distances
sum_marked: Any = _sum_marked
sum_pixels: Any = _sum_pixels
round_pixels: Any = _round_pixels
sum_windows: Any = _sum_windows
