"""Layers of Caffe's forks, which Caffe itself lacks: judged by OpenCV 4's importer, and by plain loops over numbers."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from layer_cases import cases, network, one_layer
from numpy.testing import assert_allclose, assert_array_equal

from converters.caffe import convert, convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available

READS = {
    "Interp": ("height", "zoom_factor: 2 }"),
    "Mish": ("",),
    "ROIPooling": ("",),
    "Reorg": ("stride: 2 }",),
    "ShuffleChannel": ("",),
}
"""What of a layer OpenCV 4 reads: fields of its block. It reads no pad, no shrink_factor, no second bottom."""
JUDGED = [
    case for case in cases() if any(part in case.text and "pad" not in case.text for part in READS.get(case.type, ()))
]
PLANES = (2, 7, 5, 3)


@pytest.mark.skipif(not available()["opencv"].startswith("4."), reason="OpenCV 5 cannot read Caffe")
@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_opencv_reads_the_layer_the_same(tmp_path, case):
    import cv2

    net = read_net(write(tmp_path, case.network, case.bottoms)[0])
    data = feed(case.bottoms, None, net.layers[0])
    judge = cv2.dnn.readNetFromCaffe(str(tmp_path / "tiny.prototxt"))
    for name, numbers in data.items():
        judge.setInput(numbers, name)
    assert_allclose(run(net, data)["top"], judge.forward("top"), rtol=1e-4, atol=1e-5)


def test_there_are_judged_cases():
    assert {case.type for case in JUDGED} == set(READS)


def reorg(x, stride):
    """Run darknet's loops: out[in_index] = x[out_index]."""
    samples, channels, height, width = x.shape
    fewer, out, flat = channels // stride**2, np.empty(x.size), x.ravel()
    for b, k, j, i in np.ndindex(samples, channels, height, width):
        offset, c2 = divmod(k, fewer)
        row, column = j * stride + offset // stride, i * stride + offset % stride
        at = column + width * stride * (row + height * stride * (c2 + fewer * b))
        out[i + width * (j + height * (k + channels * b))] = flat[at]
    return out.reshape(samples, channels * stride**2, height // stride, width // stride)


def back(x, stride):
    """Run them with reverse: out[out_index] = x[in_index]."""
    samples, channels, height, width = x.shape
    out = np.empty((samples, channels // stride**2, height * stride, width * stride))
    for b, k, j, i in np.ndindex(x.shape):
        offset, c2 = divmod(k, out.shape[1])
        out[b, c2, j * stride + offset // stride, i * stride + offset % stride] = x[b, k, j, i]
    return out


def interp(x, height, width):
    """Make each pixel of the new image by itself."""
    out = np.empty((*x.shape[:2], height, width))
    for h, w in np.ndindex(height, width):
        y = h * (x.shape[2] - 1) / (height - 1) if height > 1 else 0
        z = w * (x.shape[3] - 1) / (width - 1) if width > 1 else 0
        top, left = int(y), int(z)
        below, right = min(top + 1, x.shape[2] - 1), min(left + 1, x.shape[3] - 1)
        upper = x[:, :, top, left] * (1 - z + left) + x[:, :, top, right] * (z - left)
        lower = x[:, :, below, left] * (1 - z + left) + x[:, :, below, right] * (z - left)
        out[:, :, h, w] = upper * (1 - y + top) + lower * (y - top)
    return out


def shuffled(x, group):
    out = np.empty_like(x)
    for i, j in np.ndindex(group, x.shape[1] // group):
        out[:, j * group + i] = x[:, i * (x.shape[1] // group) + j]
    return out


LOOPS = {
    ("Reorg", "reorg_param { stride: 3 }", (2, 9, 6, 12)): lambda x: reorg(x, 3),
    ("Reorg", "reorg_param { stride: 2 }", (3, 4, 6, 10)): lambda x: reorg(x, 2),
    ("Reorg", "reorg_param { stride: 2 reverse: true }", (2, 12, 5, 3)): lambda x: back(x, 2),
    ("Interp", "interp_param { shrink_factor: 3 }", (2, 3, 8, 11)): lambda x: interp(x, 3, 4),
    ("Interp", "interp_param { shrink_factor: 2 zoom_factor: 3 }", (2, 3, 8, 11)): lambda x: interp(x, 10, 16),
    ("Interp", "interp_param { height: 9 width: 4 pad_end: -1 }", (2, 3, 8, 11)): lambda x: interp(
        x[:, :, :7, :10], 9, 4
    ),
    ("Interp", "interp_param { pad_beg: -1 pad_end: -2 zoom_factor: 2 height: 3 width: 4 }", (2, 3, 8, 11)): lambda x: (
        interp(x[:, :, 1:6, 1:9], 9, 15)
    ),
    (
        "Interp",
        "interp_param { shrink_factor: 2 zoom_factor: 2 height: 3 width: 4 }",
        (2, 3, 8, 11),
    ): lambda x: interp(x, 3, 4),
    ("ShuffleChannel", "shuffle_channel_param { group: 3 }", (2, 12, 5, 3)): lambda x: shuffled(x, 3),
    ("Upsample", "upsample_param { scale: 3 }", PLANES): lambda x: np.kron(x, np.ones((3, 3))),
}


@pytest.mark.parametrize(("layer", "loop"), LOOPS.items(), ids=[" ".join(map(str, layer)) for layer in LOOPS])
def test_loops_over_numbers(tmp_path, layer, loop):
    kind, text, bottom = layer
    (tmp_path / "net.prototxt").write_text(one_layer(kind, text, bottom))
    data = feed(bottom)
    assert_allclose(run(read_net(tmp_path / "net.prototxt"), data)["top"], loop(data["data"]), rtol=1e-6, atol=1e-7)


def region_by_region(image, regions, high, wide, scale):
    """Follow Fast R-CNN's rules number by number, in single precision."""
    out = np.zeros((len(regions), image.shape[1], high, wide))
    for r, (sample, *ends) in enumerate(regions):
        x1, y1, x2, y2 = (int(np.copysign(np.floor(abs(np.float32(e * scale)) + np.float32(0.5)), e)) for e in ends)
        tall, broad = (np.float32(max(n, 1)) for n in (y2 - y1 + 1, x2 - x1 + 1))
        for h, w in np.ndindex(high, wide):
            rows = [int(np.floor(h * (tall / np.float32(high)))), int(np.ceil((h + 1) * (tall / np.float32(high))))]
            columns = [
                int(np.floor(w * (broad / np.float32(wide)))),
                int(np.ceil((w + 1) * (broad / np.float32(wide)))),
            ]
            top, end = (min(max(n + y1, 0), image.shape[2]) for n in rows)
            left, right = (min(max(n + x1, 0), image.shape[3]) for n in columns)
            if end > top and right > left:
                out[r, :, h, w] = image[int(sample), :, top:end, left:right].max(axis=(1, 2))
    return out


@pytest.mark.parametrize(("high", "wide", "scale"), [(7, 6, 0.0625), (3, 2, 1 / 3), (1, 5, 0.5)])
def test_regions_of_many_samples(tmp_path, high, wide, scale):
    text = f"roi_pooling_param {{ pooled_h: {high} pooled_w: {wide} spatial_scale: {scale} }}"
    (tmp_path / "net.prototxt").write_text(one_layer("ROIPooling", text, ((1, 2, 19, 23), (2, 5))))
    net, generator = read_net(tmp_path / "net.prototxt"), np.random.default_rng(high)
    image = generator.normal(size=(3, 2, 19, 23)).astype(np.float32)
    ends = generator.integers(-12, 60, (200, 4)) / (2 * np.float32(scale))  # halves are rounded away from zero
    regions = np.insert(ends, 0, generator.integers(0, 3, 200), axis=1).astype(np.float32)
    expected = region_by_region(image, regions, high, wide, np.float32(scale))
    assert (expected == 0).any()
    data = {"data": image, "data_2": regions}
    assert_array_equal(run(net, data)["top"], expected)
    found = RUNTIMES["onnxruntime"](to_bytes(convert_net(net)), data)["top"]
    assert_array_equal(found, expected.astype(np.float32))


CODED = """
    layer { name: "rectified" type: "ReLU" bottom: "data" top: "rectified" }
    layer { name: "pool" type: "Pooling" bottom: "rectified" top: "pool" top: "mask"
            pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
    layer { name: "coded" type: "Convolution" bottom: "pool" top: "coded" convolution_param { num_output: 7
            kernel_size: 3 pad: 1 } }
    layer { name: "top" type: "Upsample" bottom: "coded" bottom: "mask" top: "top" upsample_param { SIZES } }
"""


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize(
    ("plane", "sizes"),
    [((8, 6), "scale: 2"), ((11, 6), "scale: 2 pad_out_h: true"), ((7, 9), "upsample_h: 7 upsample_w: 9")],
)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pooling_mask_and_upsample(tmp_path, runtime, plane, sizes, batch):
    """SegNet's pair; after a ReLU many numbers of a window are 0, and the first of them counts."""
    bottom = (2, 7, *plane)
    (tmp_path / "a.prototxt").write_text(network(CODED.replace("SIZES", sizes), bottom))
    weights = np.random.default_rng(3).normal(size=(7, 7, 3, 3))
    (tmp_path / "a.caffemodel").write_bytes(caffemodel({"coded": [weights, np.arange(7) / 4]}))
    net = read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel")
    data = {"data": np.random.default_rng(batch).integers(-3, 3, (batch, *bottom[1:])).astype(np.float32)}
    blobs = run(net, data)
    expected = np.zeros((batch, 7, *plane))
    pooled = blobs["rectified"]
    for n, c, h, w in np.ndindex(blobs["coded"].shape):
        window = pooled[n, c, 2 * h : 2 * h + 2, 2 * w : 2 * w + 2]
        row, column = next(zip(*np.nonzero(window == window.max()), strict=True))
        expected[n, c, 2 * h + row, 2 * w + column] = blobs["coded"][n, c, h, w]
    assert net.shapes["top"] == (2, 7, *plane)
    assert_allclose(blobs["top"], expected, rtol=1e-12)
    assert_allclose(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_place_that_two_numbers_want(tmp_path, runtime):
    """The later one has it; windows that overlap give such masks."""
    (tmp_path / "net.prototxt").write_text(one_layer("Upsample", "upsample_param { scale: 2 }", ((2, 1, 3, 2),) * 2))
    net, data = read_net(tmp_path / "net.prototxt"), feed(((2, 1, 3, 2),) * 2)
    data["data_2"] = np.array([5, 7, 5, 7, 7, 0] * 2, dtype=np.float32).reshape(2, 1, 3, 2)
    expected = np.zeros((2, 1, 6, 4))
    for n in range(2):
        expected[n, 0].flat[[5, 7, 0]] = data["data"][n].ravel()[[2, 4, 5]]
    assert_array_equal(run(net, data)["top"], expected)
    assert_allclose(RUNTIMES[runtime](to_bytes(convert_net(net)), data)["top"], expected, rtol=1e-6)


def test_a_mask_that_points_outside(tmp_path):
    (tmp_path / "net.prototxt").write_text(one_layer("Upsample", "upsample_param { scale: 2 }", ((2, 1, 3, 2),) * 2))
    data = {"data": np.ones((2, 1, 3, 2), np.float32), "data_2": np.full((2, 1, 3, 2), 24, np.float32)}
    with pytest.raises(BadInput, match="the mask points outside the top of 6 by 4 pixels"):
        run(read_net(tmp_path / "net.prototxt"), data)


def test_bn_goes_into_the_convolution(tmp_path):
    layers = """
        layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3
                bias_term: false } }
        layer { name: "bn" type: "BN" bottom: "c" top: "c" bn_param { frozen: true eps: 0.25 } }
        layer { name: "top" type: "BN" bottom: "c" top: "top" bn_param { bn_mode: INFERENCE } }
    """
    (tmp_path / "a.prototxt").write_text(network(layers, PLANES))
    generator = np.random.default_rng(4)
    slope, bias, mean, variance, factors, shifts = generator.uniform(1, 2, (6, 1, 4, 1, 1)).astype(np.float32)
    weights = {
        "c": [generator.normal(size=(4, 7, 3, 3))],
        "bn": [slope, bias, mean, variance],
        "top": [factors, shifts],
    }
    (tmp_path / "a.caffemodel").write_bytes(caffemodel(weights))
    net, data = read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel"), feed(PLANES)
    (tmp_path / "c.prototxt").write_text(network(layers[: layers.index("layer", 50)], PLANES))
    first = run(read_net(tmp_path / "c.prototxt", tmp_path / "a.caffemodel"), data)["c"]
    expected = ((first - mean) / np.sqrt(variance + 0.25) * slope + bias) * factors + shifts
    model = convert_net(net)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    assert_allclose(run(net, data)["top"], expected, rtol=1e-6)
    for runtime in RUNTIMES.values():
        assert_allclose(runtime(to_bytes(model), data)["top"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_mish_of_large_numbers(tmp_path, runtime):
    x = np.array([[-3000, -90, -21, -6.5, -1, 0, 0.25, 6, 19.5, 21, 90, 3000]], dtype=np.float32)
    (tmp_path / "net.prototxt").write_text(one_layer("Mish", "", x.shape))
    found = RUNTIMES[runtime](to_bytes(convert(tmp_path / "net.prototxt")), {"data": x})["top"]
    assert_allclose(found, x * np.tanh(np.logaddexp(0, x.astype(np.float64))), rtol=1e-5, atol=1e-6)


PAIR = ((2, 3, 5, 4),) * 2
REFUSED = [
    (
        "ShuffleChannel",
        "shuffle_channel_param { group: 2 }",
        PLANES,
        BadInput,
        "7 channels cannot be dealt to group: 2",
    ),
    ("ShuffleChannel", "shuffle_channel_param { group: 0 }", PLANES, BadInput, "group: 0"),
    ("ShuffleChannel", "", (2, 7), Unsupported, r"a bottom of shape \(2, 7\) is not supported; one of 4 axes is"),
    ("Axpy", "", ((2, 7, 5, 3), PLANES, PLANES), BadInput, r"'data' has the shape \(2, 7, 5, 3\); it needs samples"),
    ("Axpy", "", ((2, 6), PLANES, PLANES), BadInput, r"'data' has the shape \(2, 6\)"),
    ("Axpy", "", ((2, 7), PLANES, (2, 7, 5, 4)), BadInput, "'data_2' and 'data_3' have the shapes .* not the same"),
    ("Axpy", "", ((2, 7), PLANES), Unsupported, "2 bottoms"),
    ("Reorg", "", PLANES, BadInput, "it needs a stride of 1 or more"),
    ("Reorg", "reorg_param { stride: 0 }", PLANES, BadInput, "stride 0"),
    ("Reorg", "reorg_param { stride: 2 }", (2, 6, 4, 4), Unsupported, "the channels must divide by its square"),
    ("Reorg", "reorg_param { stride: 2 }", (2, 8, 4, 5), Unsupported, "without reverse height and width by itself"),
    ("Interp", "", PLANES, BadInput, "give height and width, zoom_factor, shrink_factor, or a second bottom"),
    ("Interp", "interp_param { height: 3 }", PLANES, BadInput, "give height and width"),
    ("Interp", "interp_param { height: 3 width: 0 }", PLANES, BadInput, "too small"),
    ("Interp", "interp_param { height: -3 width: 2 }", PLANES, BadInput, "too small"),
    ("Interp", "interp_param { zoom_factor: 0 }", PLANES, BadInput, "they are 1 or more"),
    ("Interp", "interp_param { zoom_factor: 2 pad_beg: 1 }", PLANES, BadInput, "they crop, so none is above 0"),
    ("Interp", "interp_param { zoom_factor: 2 pad_beg: -2 pad_end: -1 }", PLANES, BadInput, "leave nothing"),
    ("Interp", "interp_param { zoom_factor: 2000000000 }", PLANES, BadInput, "numbers; check the sizes"),
    ("Interp", "interp_param { zoom_factor: 2 }", (2, 7, 5), BadInput, "each needs 4 axes"),
    ("ROIPooling", "roi_pooling_param { pooled_h: 3 }", (PLANES, (4, 5)), BadInput, "pooled_w is missing or 0"),
    ("ROIPooling", "roi_pooling_param { pooled_h: 3 pooled_w: 3 }", (PLANES, (4, 4)), BadInput, "5 numbers a region"),
    ("ROIPooling", "roi_pooling_param { pooled_h: 3 pooled_w: 3 }", PLANES, Unsupported, "1 bottoms"),
    ("Upsample", "upsample_param { scale: 0 }", PLANES, BadInput, "scale 0 by 0; it is at least 1"),
    ("Upsample", "upsample_param { scale: 70000 }", PLANES, BadInput, "numbers; check the sizes"),
    ("Upsample", "upsample_param { scale_h: 2 scale_w: 2 }", PLANES, Unsupported, "a field other than scale"),
    ("Upsample", "upsample_param { scale: 1 }", PAIR, BadInput, "scale 1 by 1; it is at least 2"),
    ("Upsample", "upsample_param { scale: 2 scale_h: 2 scale_w: 2 }", PAIR, BadInput, "not both"),
    ("Upsample", "upsample_param { scale_h: 2 }", PAIR, BadInput, "not both"),
    ("Upsample", "upsample_param { scale: 3 pad_out_w: true }", PAIR, BadInput, "they go with 2 only"),
    ("Upsample", "upsample_param { upsample_h: 7 }", PAIR, BadInput, "give both upsample_h and upsample_w"),
    ("Upsample", "upsample_param { upsample_h: 1 upsample_w: 7 }", PAIR, BadInput, "they are at least 2"),
    ("Upsample", "upsample_param { scale: 2 }", (PAIR[0], (2, 3, 5, 5)), BadInput, "each needs the same 4 axes"),
    ("BN", "", PLANES, Unsupported, "a BN layer of an unknown fork is not supported; bn_mode: INFERENCE"),
    ("BN", "bn_param { bn_mode: INFERENCE eps: 1 }", PLANES, Unsupported, "an unknown fork"),
    ("BN", "bn_param { bn_mode: LEARN }", PLANES, Unsupported, "bn_mode: LEARN is not supported"),
    ("BN", "bn_param { scale_filler { value: 1 } }", PLANES, Unsupported, "bn_mode: LEARN is not supported"),
    ("BN", "bn_param { frozen: true }", (2, 7), Unsupported, "one of 4 axes is"),
]


@pytest.mark.parametrize(("kind", "text", "bottoms", "error", "message"), REFUSED)
def test_refused(tmp_path, kind, text, bottoms, error, message):
    path = tmp_path / "net.prototxt"
    path.write_text(one_layer(kind, text, bottoms))
    with pytest.raises(BadInput, match=message) as caught:
        convert(path)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{path}:")
    assert f"layer 'top' ({kind}): " in str(caught.value)


def test_only_max_has_a_mask(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(one_layer("Pooling", "pooling_param { pool: AVE kernel_size: 2 }", PLANES, 2))
    with pytest.raises(BadInput, match="2 tops; only MAX has a second one, the mask"):
        convert(path)
