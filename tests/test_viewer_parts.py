"""What the report folder is made of: scripts that carry tiles, codes of values, boxes of clusters."""

import base64
import json
import re
import zlib

import numpy as np
from gigaxas.report.viewer import (
    ValueLayer,
    boxes_script,
    encode_values,
    label_boxes,
    tile_script,
    value_layer,
)
from gigaxas.spatial.pyramid import find_boxes
from gigaxas.tiles import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def unpack(script, shapes_and_types):
    """The key and the planes of a tile's script, read as the page reads it."""
    key, text = json.loads("[" + re.fullmatch(r"gx\.put\((.*)\)\n", script.decode())[1] + "]")
    data = zlib.decompress(base64.b64decode(text))
    planes, start = [], 0
    for shape, dtype in shapes_and_types:
        count, wide = int(np.prod(shape)), np.dtype(dtype).itemsize
        part = np.frombuffer(data, np.uint8, count * wide, start).reshape(wide, count)
        planes.append(sum(part[b].astype(np.uint64) << (8 * b) for b in range(wide)).reshape(shape))
        start += count * wide
    assert start == len(data)
    return key, planes


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_tile_script_carries_every_plane(height, width, seed):
    rng = np.random.default_rng(seed)
    types = (np.uint8, np.uint16, np.uint32)
    planes = [rng.integers(0, np.iinfo(kind).max, (height, width), kind, endpoint=True) for kind in types]
    script = tile_script("tiles/map/0/3_4", [plane[:, ::-1][:, ::-1] for plane in planes])
    key, found = unpack(script, [((height, width), kind) for kind in types])
    assert key == "tiles/map/0/3_4"
    for plane, read in zip(planes, found, strict=True):
        np.testing.assert_array_equal(read, plane)


@given(hnp.arrays(np.float32, 30, elements=st.floats(-3, 3, width=32)))
def test_codes_are_the_nearest_of_254_steps(values):
    layer = ValueLayer("v", "V", "", -1.0, 1.0, "v")
    code = encode_values(values.reshape(5, 6), layer).ravel().astype(int)
    assert code.min() >= 1
    back = layer.low + (code - 1) / 254 * (layer.high - layer.low)
    np.testing.assert_allclose(back, np.clip(values, -1, 1), atol=1 / 254 + 1e-6)


def test_what_is_not_known_is_code_0_and_has_no_layer():
    layer = value_layer("v", "V", "", np.array([[np.nan, 1.0], [3.0, np.inf]]))
    assert (layer.low, layer.high) == (1.002, 2.998)
    assert encode_values(np.array([[np.nan, -np.inf, 0.0, 9.0]]), layer).tolist() == [[0, 0, 1, 255]]
    assert value_layer("v", "V", "", np.full((2, 2), np.nan)) is None
    even = value_layer("v", "V", "", np.full((2, 2), 7.0))
    assert even.high > even.low


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.uint16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 2)),
    st.integers(1, 6),
)
def test_boxes_hold_every_pixel_and_touch_no_other_part(labels, side):
    found = label_boxes(find_boxes(labels, 2, side), side)
    assert set(found) == set(np.unique(labels).tolist()) - {0}
    for label, (whole, *boxes) in found.items():
        y, x = np.nonzero(labels == label)
        assert whole == Box(y0=y.min(), y1=y.max() + 1, x0=x.min(), x1=x.max() + 1)
        held = np.zeros(labels.shape, bool)
        for box in boxes:
            held[box.region] = True
        assert held[y, x].all()
        cells = {(int(v) // side, int(u) // side) for v, u in zip(y, x, strict=True)}
        assert len(boxes) == islands(cells)


def islands(cells):
    cells, count = set(cells), 0
    while cells:
        queue, count = [cells.pop()], count + 1
        while queue:
            v, u = queue.pop()
            near = {(v + a, u + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & cells
            cells -= near
            queue += near
    return count


def test_of_many_parts_the_largest_are_told_apart():
    rows = np.array([[4, 8 * n, 8 * n + 1, 0, n % 5 + 1, n % 5 + 1] for n in range(0, 200, 2)])
    boxes = label_boxes(rows, 4)[4]
    assert len(boxes) == 61
    assert boxes[1].x1 == 5
    assert boxes_script({4: boxes[:1]}) == b'gx.boxes={"4":[[0,0,5,1585]]}\n'


def test_no_cluster_has_no_box():
    assert label_boxes(np.empty((0, 6), np.int64), 4) == {}
