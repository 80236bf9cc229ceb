"""Every search once more, slowly, on numbers that count what is done to them.

Written from the method and the rule of counting alone: what a library was made into once (axes, tree, table)
is taken as it is, all arithmetic of a query runs on `Number`. Nothing here is shared with the kernels.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

BLOCK, STEP, LEAF_STEP, LEAF_COST = 32, 4, 6, 64


class Tally:
    """What was done so far, by the rule of counting."""

    def __init__(self) -> None:
        self.multiplications = 0
        self.additions = 0

    def look_up(self, value: Any) -> Any:
        self.additions += 1
        return self(value)

    def __call__(self, value: Any) -> "Number":
        return Number(float(value), self)


class Number:
    """A float that tells its tally of every operation."""

    def __init__(self, value: float, tally: Tally) -> None:
        self.value, self.tally = value, tally

    def _added(self, value: float) -> "Number":
        self.tally.additions += 1
        return Number(value, self.tally)

    def __add__(self, other: "Number") -> "Number":
        return self._added(self.value + other.value)

    def __sub__(self, other: "Number") -> "Number":
        return self._added(self.value - other.value)

    def __mul__(self, other: "Number") -> "Number":
        self.tally.multiplications += 1
        return Number(self.value * other.value, self.tally)

    def __truediv__(self, other: "Number") -> "Number":
        self.tally.multiplications += 1
        return Number(self.value / other.value, self.tally)

    def __neg__(self) -> "Number":
        return Number(-self.value, self.tally)

    def __abs__(self) -> "Number":
        return Number(abs(self.value), self.tally)

    def __gt__(self, other: "Number") -> bool:
        self.tally.additions += 1
        return self.value > other.value

    def __lt__(self, other: "Number") -> bool:
        self.tally.additions += 1
        return self.value < other.value

    def __le__(self, other: "Number") -> bool:
        self.tally.additions += 1
        return self.value <= other.value

    def sqrt(self) -> "Number":
        self.tally.multiplications += 1
        return Number(math.sqrt(self.value), self.tally)


def larger(*values: Number) -> Number:
    best = values[0]
    for value in values[1:]:
        if value > best:
            best = value
    return best


class Best:
    """The k nearest so far: (square, name) in order, and the reach they leave."""

    def __init__(self, k: int, tally: Tally) -> None:
        self.k, self.tally, self.list = k, tally, [(tally(math.inf), -1)] * k
        self.reach = self.reach2 = tally(math.inf)

    @property
    def worst(self) -> Number:
        return self.list[-1][0]

    def keep(self, square: Number, name: int) -> bool:
        place = self.k
        while place > 0:
            other, owner = self.list[place - 1]
            self.tally.additions += 1
            if (other.value, owner) < (square.value, name):
                break
            place -= 1
        if place == self.k:
            return False
        self.list = [*self.list[:place], (square, name), *self.list[place:-1]]
        return True


class Slow:
    """One query x (E,) of a fitted search, with its library's entries, places and slack."""

    def __init__(self, search: Any, x: np.ndarray, k: int, places: np.ndarray, slack: float, longest: float):
        self.tally = Tally()
        self.search, self.x, self.k = search, [self.tally(v) for v in x], k
        self.entries, self.places = search.library, places
        self.slack, self.lengths = self.tally(slack), self.tally(3 * longest)
        self.best = Best(k, self.tally)
        self.y: list[Number] = []

    @property
    def index(self) -> list[int]:
        return [name for _, name in self.best.list]

    def squares(self, a: Iterable[Number], b: np.ndarray, limit: Number, step: int) -> tuple[Number, bool]:
        """A squared distance, looked at after every `step` terms, and whether it is beyond the limit."""
        total, terms, beyond = self.tally(0), list(zip(a, b, strict=True)), False
        for start in range(0, len(terms), step):
            for left, right in terms[start : start + step]:
                gap = left - self.tally(right)
                total = total + gap * gap
            beyond = total > limit
            if beyond:
                break
        return total, beyond

    def transform(self, weights: np.ndarray, offset: np.ndarray | None, x: list[Number]) -> list[Number]:
        y = []
        for r in range(weights.shape[1]):
            total = self.tally(0)
            for value, weight in zip(x, weights[:, r], strict=True):
                total = total + value * self.tally(weight)
            y.append(total if offset is None else total - self.tally(offset[r]))
        return y

    def settle(self, n: int) -> bool:
        nearest = self.best.list[0][1]
        square, beyond = self.squares(self.x, self.entries[n], self.best.worst, BLOCK)
        if beyond or not self.best.keep(square, n):
            return False
        distance = self.best.worst.sqrt()
        self.best.reach = distance + self.slack * (distance + self.lengths)
        self.best.reach2 = self.best.reach * self.best.reach
        return self.best.list[0][1] != nearest

    def consider(self, n: int) -> bool:
        _, beyond = self.squares(self.y, self.places[n], self.best.reach2, STEP)
        return not beyond and self.settle(n)


def slow_full(search: Any, x: np.ndarray, k: int) -> Slow:
    slow = Slow(search, x, k, np.empty((len(search.library), 0)), 0, 0)
    for n, entry in enumerate(search.library):
        limit = slow.best.worst if search.partial else slow.tally(math.inf)
        square, beyond = slow.squares(slow.x, entry, limit, BLOCK)
        if not beyond:
            slow.best.keep(square, n)
    return slow


def _with_axes(search: Any, x: np.ndarray, k: int) -> Slow:
    axes = search.axes
    slow = Slow(search, x, k, axes.coordinates, axes.slack, axes.longest)
    slow.y = slow.transform(axes.weights, axes.offset, slow.x)
    return slow


def slow_principal(search: Any, x: np.ndarray, k: int) -> Slow:
    slow = _with_axes(search, x, k)
    for n in range(len(search.library)):
        slow.consider(n)
    return slow


def slow_clusters(search: Any, x: np.ndarray, k: int) -> Slow:
    slow, groups = _with_axes(search, x, k), search.clusters
    never, away, nearest = slow.tally(math.inf), [], 0
    for j, centre in enumerate(groups.coordinates):
        away.append(slow.squares(slow.y, centre, never, STEP)[0].sqrt())
        if away[j] < away[nearest]:
            nearest = j
    first = _piloted(slow, search.pilot) if search.pilot else int(groups.centre[nearest])
    slow.settle(first)
    for j in [nearest, *(j for j in range(len(away)) if j != nearest)]:
        _in_cluster(slow, groups, j, away[j], first)
    return slow


def _piloted(slow: Slow, axes: int) -> int:
    pilot = Best(1, slow.tally)
    for n, place in enumerate(slow.places[:, :axes]):
        square, beyond = slow.squares(slow.y[:axes], place, pilot.worst, STEP)
        if not beyond:
            pilot.keep(square, n)
    return pilot.list[0][1]


def _in_cluster(slow: Slow, groups: Any, j: int, away: Number, first: int) -> None:
    tally = slow.tally
    if away - tally.look_up(groups.radius[j]) > slow.best.reach:
        return
    for i in range(groups.bounds[j], groups.bounds[j + 1]):
        gap = away - tally.look_up(groups.distance[i])
        if gap > slow.best.reach:
            continue
        if -gap > slow.best.reach:
            return
        member = int(tally.look_up(groups.members[i]).value)
        tally.additions += 1  # whether it is the first guess
        if member != first:
            slow.consider(member)


def _leaves(slow: Slow, tree: Any, limit: Callable[[], Number]) -> Iterable[int]:
    """The leaves of a k-d tree whose cells are within the limit, near ones first, by recursion."""
    tally, inside = slow.tally, [slow.tally(0) for _ in slow.y]

    def below(node: int, square: Number) -> Iterable[int]:
        if node >= len(tree.axis):
            yield node - len(tree.axis)
            return
        along = int(tally.look_up(tree.axis[node]).value)
        gap = slow.y[along] - tally(tree.value[node])
        near, far = (1, 2) if gap < tally(0) else (2, 1)
        other = square - inside[along] * inside[along] + gap * gap
        yield from below(2 * node + near, square)
        if not other > limit():
            kept, inside[along] = inside[along], gap
            yield from below(2 * node + far, other)
            inside[along] = kept

    if not tally(0) > limit():
        yield from below(0, tally(0))


def _in_leaf(slow: Slow, tree: Any, leaf: int, limit: Number) -> list[tuple[int, Number]]:
    """The entries of a leaf within a limit; all its places are summed side by side."""
    places = tree.leaves[leaf]
    sums, near = [slow.tally(0) for _ in range(places.shape[1])], list(range(places.shape[1]))
    for start in range(0, len(slow.y), LEAF_STEP):
        for i in range(start, min(start + LEAF_STEP, len(slow.y))):
            for e in range(len(sums)):
                gap = slow.y[i] - slow.tally(places[i, e])
                sums[e] = sums[e] + gap * gap
        near = [e for e in range(len(sums)) if sums[e] <= limit]
        if not near:
            return []
    return [(int(tree.members[leaf, e]), sums[e]) for e in near if tree.members[leaf, e] >= 0]


def _nearest_entries(slow: Slow, tree: Any, k: int, most: int) -> list[tuple[Number, int]]:
    guess, seen = Best(k, slow.tally), 0
    walk = iter(_leaves(slow, tree, lambda: guess.worst))
    while seen < most or guess.worst.value == math.inf:
        leaf = next(walk, None)
        if leaf is None:
            break
        seen += 1
        for n, square in _in_leaf(slow, tree, leaf, guess.worst):
            guess.keep(square, n)
    return guess.list


def _fine(slow: Slow, table: Any, first: int) -> None:
    tally, seen = slow.tally, {first}
    away, place = slow.best.list[0][0].sqrt(), 0
    length = table.entries.shape[1]
    while place < length:
        owner = slow.best.list[0][1]
        if tally.look_up(table.distances[owner, place]) > away + slow.best.reach:
            return
        n = int(tally.look_up(table.entries[owner, place]).value)
        place += 1
        tally.additions += 1  # whether it was seen
        if n in seen:
            continue
        seen.add(n)
        if slow.consider(n):
            away, place = slow.best.list[0][0].sqrt(), 0
    if length < len(slow.entries) - 1:
        for n in range(len(slow.entries)):
            tally.additions += 1
            if n not in seen:
                slow.consider(n)


def slow_tree(search: Any, x: np.ndarray, k: int) -> Slow:
    slow = _with_axes(search, x, k)
    first = _nearest_entries(slow, search.tree, 1, len(search.tree.members))[0][1]
    slow.settle(first)
    _fine(slow, search.neighbours, first)
    return slow


def slow_limited(search: Any, x: np.ndarray, k: int) -> Slow:
    longest = float(np.sqrt((search.library**2).sum(axis=1).max()))
    slow = Slow(search, x, k, np.empty((len(search.library), 0)), 16 * 2.0**-52 * (len(x) + 8), longest)
    tally, total, thin = slow.tally, slow.tally(0), []
    peak = tally(0)
    for i in range(min(5, len(x))):
        total = total + slow.x[i]
    for i in range(len(x)):
        if i + 5 < len(x):
            total = total + slow.x[i + 5]
        if i >= 6:
            total = total - slow.x[i - 6]
        if i % 5 == 0:
            thin.append(total / tally(11))
            peak = larger(peak, abs(thin[-1]))
    small = tally(0.02) * peak
    thin = [tally(0) if abs(value) < small else value for value in thin]
    y = slow.transform(search.weights, None, thin)
    first = _voted(slow, search, y)
    slow.settle(first)
    _fine(slow, search.neighbours, first)
    return slow


def _voted(slow: Slow, search: Any, y: list[Number]) -> int:
    tally, votes = slow.tally, [0] * len(search.library)
    for a, value in enumerate(y):
        low, high = 0, len(votes)
        while low < high:
            middle = (low + high) // 2
            if tally.look_up(search.order.along[a, middle]) < value:
                low = middle + 1
            else:
                high = middle
        for i in range(max(0, low - search.order.span), min(len(votes), low + search.order.span)):
            votes[int(tally.look_up(search.order.entries[a, i]).value)] += 1
            tally.additions += 1
    most, nearest, square = tally(0), 0, tally(math.inf)
    for n, count in enumerate(votes):
        if tally(count) < most:
            continue
        if tally(count) > most:
            most, square = tally(count), tally(math.inf)
        away, _ = slow.squares(y, search.coordinates[n], square, STEP)
        if away < square:
            nearest, square = n, away
    return nearest


def slow_product(search: Any, x: np.ndarray, k: int) -> Slow:
    slow = Slow(search, x, k, np.empty((len(x), 0)), 0, 0)
    tally, own = slow.tally, slow.tally(0)
    centred = [value - tally(mean) for value, mean in zip(slow.x, search.mean, strict=True)]
    for value in centred:
        own = own + value * value
    own = own * tally(1 - 2 * 2.0**-52 * (len(x) + 8))
    for n, square in enumerate(search.squares):
        product = tally(0)
        for value, twice in zip(centred, search.twice[:, n], strict=True):
            product = product + value * tally(twice)
        if product + tally(square) + own > slow.best.worst:
            continue
        measured, beyond = slow.squares(slow.x, slow.entries[n], slow.best.worst, BLOCK)
        if not beyond:
            slow.best.keep(measured, n)
    return slow


class _Spans:
    """How far the query and the pivot can be apart beside a projection; what an entry has to bridge."""

    def __init__(self, slow: Slow, square: Number, inside: Number, beside: np.ndarray, pivot: int) -> None:
        self.slow, self.beside, self.pivot, tally = slow, beside, pivot, slow.tally
        scale = slow.best.reach + slow.lengths
        rounding = tally(4) * slow.slack * scale * scale
        rest = square - inside
        self.least = larger(tally(0), rest - rounding).sqrt()
        self.most = larger(tally(0), rest + rounding).sqrt()

    def bridge(self, n: int) -> Number:
        tally = self.slow.tally
        known, entry = tally.look_up(self.beside[self.pivot]), tally.look_up(self.beside[n])
        gap = larger(tally(0), self.least - known - entry, abs(known - entry) - self.most)
        return gap * gap


def slow_segments(search: Any, x: np.ndarray, k: int) -> Slow:
    axes, levels, width = search.axes, search.levels, search.width
    slow = Slow(search, x, k, axes.coordinates, axes.slack, axes.longest)
    sums = slow.x
    if width > 1:
        parts = [slow.x[start : start + width] for start in range(0, len(x), width)]
        sums = [sum(part, start=slow.tally(0)) for part in parts]
    slow.y = slow.transform(axes.weights, axes.offset, sums)
    guesses = _nearest_entries(slow, search.tree, k, 1 + len(x) // LEAF_COST)
    pivot = guesses[0][1]
    slow.settle(pivot)
    square = slow.best.list[0][0]
    for _, n in guesses[1:]:
        slow.settle(n)
    spans = _Spans(slow, square, guesses[0][0], levels.axis_residual, pivot)
    found = _row(slow, search.rows, pivot, square)
    if found is None:
        found = _within(slow, search, spans)
    _settle_found(slow, search, sums, square, spans, found, [n for _, n in guesses])
    return slow


def _row(slow: Slow, rows: Any, pivot: int, square: Number) -> list[tuple[int, Number]] | None:
    tally, length, found = slow.tally, rows.entries.shape[1], []
    limit = square.sqrt() + slow.best.reach
    if length < len(slow.entries) - 1 and tally.look_up(rows.distances[pivot, -1]) <= limit:
        return None
    for i in range(length):
        if tally.look_up(rows.distances[pivot, i]) > limit:
            break
        n = int(tally.look_up(rows.entries[pivot, i]).value)
        near, beyond = slow.squares(slow.y, slow.places[n], slow.best.reach2, STEP)
        if not beyond:
            found.append((n, near))
    return found


def _within(slow: Slow, search: Any, spans: _Spans) -> list[tuple[int, Number]]:
    tally, found, bests = slow.tally, [], Best(slow.k, slow.tally)
    known = tally.look_up(spans.beside[spans.pivot])
    least = larger(tally(0), spans.least - known - tally(search.levels.largest))
    room = least * least
    scale = slow.best.reach + slow.lengths
    rounding = tally(3) * slow.slack * scale * scale
    limit, bridge = [slow.best.reach2 - room], spans.most + known
    for leaf in _leaves(slow, search.tree, lambda: limit[0]):
        for n, square in _in_leaf(slow, search.tree, leaf, limit[0]):
            found.append((n, square))
            far = bridge + tally.look_up(spans.beside[n])
            bests.keep(square + far * far + rounding, n)
            other = bests.worst - room
            limit[0] = other if other < limit[0] else limit[0]
    return found


def _settle_found(
    slow: Slow,
    search: Any,
    sums: list[Number],
    square: Number,
    spans: _Spans,
    found: list[tuple[int, Number]],
    guesses: list[int],
) -> None:
    tally, levels, z, finer = slow.tally, search.levels, [], None
    for n, near in found:
        tally.additions += len(guesses)  # whether it is one of them
        if n in guesses or near + spans.bridge(n) > slow.best.reach2:
            continue
        if search.width > 1:
            if finer is None:
                z = [value * tally(weight) for value, weight in zip(sums, levels.scale, strict=True)]
                inside, _ = slow.squares(z, levels.segments[spans.pivot], tally(math.inf), BLOCK)
                finer = _Spans(slow, square, inside, levels.segment_residual, spans.pivot)
            limit = slow.best.reach2 - finer.bridge(n)
            if limit < tally(0) or slow.squares(z, levels.segments[n], limit, BLOCK)[1]:
                continue
        slow.settle(n)


SLOW: dict[str, Callable[[Any, np.ndarray, int], Slow]] = {
    "full": slow_full,
    "partial": slow_full,
    "principal": slow_principal,
    "clusters": slow_clusters,
    "pilot": slow_clusters,
    "tree": slow_tree,
    "limited": slow_limited,
    "segments": slow_segments,
    "product": slow_product,
}
