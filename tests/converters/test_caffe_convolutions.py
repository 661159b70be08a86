"""Layers that lay windows over images, beyond their cases: forks' names, random sizes, laws, graphs, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from layer_cases import one_layer
from numpy.testing import assert_allclose

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (2, 3, 7, 5)
LARGE = 2**32 - 1
DEPTHWISE = ("ConvolutionDepthwise", "DepthwiseConvolution")


def convolution(text: str) -> str:
    return f"convolution_param {{ {text} }}"


def net_of(folder, type_name, text, bottoms=BOTTOM, tops=1):
    return read_net(*write(folder, one_layer(type_name, text, bottoms, tops), bottoms))


def answer(folder, type_name, text, blobs, bottom):
    """Return what the reference makes of one bottom with these weights."""
    (folder / "a.prototxt").write_text(one_layer(type_name, text, bottom.shape))
    if blobs:
        (folder / "a.caffemodel").write_bytes(caffemodel({"top": blobs}))
    net = read_net(folder / "a.prototxt", folder / "a.caffemodel" if blobs else None)
    return run(net, {"data": bottom})["top"]


@pytest.mark.parametrize("rest", ["", "num_output: 3", "group: 3", "num_output: 3 group: 3"])
@pytest.mark.parametrize("type_name", DEPTHWISE)
def test_depthwise_is_a_convolution_with_a_group_for_each_channel(tmp_path, type_name, rest):
    text = "kernel_size: 3 pad: 1 stride: 2 dilation: 2"
    usual = net_of(tmp_path, "Convolution", convolution(f"{text} num_output: 3 group: 3"))
    depthwise = net_of(tmp_path, type_name, convolution(f"{text} {rest}"))
    assert depthwise.layers[0].type == type_name
    feeds = feed(BOTTOM)
    assert_allclose(run(depthwise, feeds)["top"], run(usual, feeds)["top"], rtol=0, atol=0)
    assert convert_net(depthwise).graph == convert_net(usual).graph


def sizes(generator, axes, low, high):
    """Return a number for each axis, now and then the same for all."""
    return generator.integers(low, high, axes if generator.random() < 0.7 else 1).tolist()


def drawn(generator, axes):
    """Return kernel, stride, pad and dilation for so many axes, and the text that says them."""
    found = {
        "kernel_size": sizes(generator, axes, 1, 5),
        "stride": sizes(generator, axes, 1, 4),
        "pad": sizes(generator, axes, 0, 4),
        "dilation": sizes(generator, axes, 1, 4) if generator.random() < 0.5 else [1],
    }
    text = " ".join(f"{name}: {values}" for name, values in found.items())
    return [values * axes if len(values) == 1 else values for values in found.values()], text


def random_layer(seed, type_name):
    """Return the text of a layer, its bottom, and the size of the top's image; sizes that fit are drawn until found."""
    generator = np.random.default_rng(seed)
    axes = (2, 2, 1, 3)[seed % 4] if type_name == "Convolution" else (2, 2, 2, 1)[seed % 4]
    while True:
        windows, text = drawn(generator, axes)
        plane = generator.integers(2, 12 if axes < 3 else 7, axes).tolist()
        spans = [d * (k - 1) + 1 for k, d in zip(windows[0], windows[3], strict=True)]
        rows = list(zip(plane, *windows[1:3], spans, strict=True))
        if type_name == "Convolution":
            top = [(size + 2 * pad - span) // stride + 1 for size, stride, pad, span in rows]
        else:
            top = [stride * (size - 1) + span - 2 * pad for size, stride, pad, span in rows]
        if min(top) > 0:
            break
    channels = int(generator.integers(1, 7))
    group = int(generator.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    outputs = group * int(generator.integers(1, 4))
    bias = "false" if generator.random() < 0.3 else "true"
    text += f" num_output: {outputs} group: {group} bias_term: {bias}"
    return convolution(text), (2, channels, *plane), (2, outputs, *top)


@pytest.mark.parametrize("type_name", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize("seed", range(48))
def test_random_windows(tmp_path, seed, type_name):
    text, bottom, top = random_layer(seed, type_name)
    net = net_of(tmp_path, type_name, text, bottom)
    assert net.shapes["top"] == top, text
    model, feeds = to_bytes(convert_net(net)), feed(bottom, 3)
    expected = run(net, feeds)["top"]
    for runtime in RUNTIMES.values():
        assert_allclose(runtime(model, feeds)["top"], expected, rtol=1e-4, atol=3e-5, err_msg=text)


@pytest.mark.parametrize("seed", range(24))
def test_deconvolution_is_the_transpose_of_convolution(tmp_path, seed):
    """A linear map and its transpose: <A x, y> = <x, At y>, with the weights as they are."""
    generator = np.random.default_rng(seed)
    windows, text = drawn(generator, 2)
    kernel, stride, pad, dilation = windows
    count, channels, outputs = generator.integers(7, 10, 2), 4, 6
    rows = zip(count, kernel, stride, pad, dilation, strict=True)
    plane = [int(s * (n - 1) + d * (k - 1) + 1 - 2 * p) for n, k, s, p, d in rows]  # no pixel is left over
    weights = generator.normal(size=(outputs, channels // 2, *kernel)).astype(np.float32)
    image = generator.normal(size=(2, channels, *plane)).astype(np.float32)
    text = f"{text} group: 2 bias_term: false num_output:"
    forward = answer(tmp_path, "Convolution", convolution(f"{text} {outputs}"), [weights], image)
    other = generator.normal(size=forward.shape).astype(np.float32)
    back = answer(tmp_path, "Deconvolution", convolution(f"{text} {channels}"), [weights], other)
    assert back.shape == image.shape
    assert_allclose(np.vdot(forward, other), np.vdot(image, back), rtol=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_convolution_is_a_product_with_the_columns(tmp_path, seed):
    text, bottom, top = random_layer(4 * seed, "Convolution")
    text = text.replace("bias_term: true", "bias_term: false")
    net = net_of(tmp_path, "Convolution", text, bottom)
    (weights,), data = net.layers[0].blobs, feed(bottom)["data"]
    columns = answer(tmp_path, "Im2col", text, [], data)
    group = bottom[1] // weights.shape[1]
    matrices = weights.reshape(group, top[1] // group, -1)
    found = np.einsum("gok,ngkp->ngop", matrices, columns.reshape(2, group, matrices.shape[2], -1))
    assert_allclose(found.reshape(top), run(net, {"data": data})["top"], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_bilinear_upsampling_keeps_a_plane(tmp_path, runtime, factor):
    """The kernel of fully convolutional networks: away from the edges a plane stays that plane, only finer."""
    kernel, channels = 2 * factor - factor % 2, 3
    pad, middle = factor // 2, (kernel - 1) / 2
    tent = 1 - np.abs(np.arange(kernel) - middle) / factor
    weights = np.broadcast_to(np.outer(tent, tent), (channels, 1, kernel, kernel)).astype(np.float32)
    text = f"num_output: 3 group: 3 bias_term: false kernel_size: {kernel} stride: {factor} pad: {pad}"
    (tmp_path / "a.prototxt").write_text(one_layer("Deconvolution", convolution(text), (2, channels, 6, 7)))
    (tmp_path / "a.caffemodel").write_bytes(caffemodel({"top": [weights]}))
    net = read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel")

    def plane(high, wide, step):
        at = (np.arange(wide) + 0.5) * step, (np.arange(high) + 0.5)[:, None] * step
        return np.stack([at[0] + 2 * at[1], 3 * at[0] - at[1], at[1] + 0 * at[0]])[None].repeat(2, 0)

    feeds = {"data": plane(6, 7, 1).astype(np.float32)}
    top = RUNTIMES[runtime](to_bytes(convert_net(net)), feeds)["top"]
    _, _, high, wide = top.shape
    assert (high, wide) == (6 * factor, 7 * factor)
    inner = (..., slice(factor, -factor), slice(factor, -factor))
    assert_allclose(top[inner], plane(high, wide, 1 / factor)[inner], rtol=1e-5, atol=1e-5)


GRAPHS = [
    ("Convolution", convolution("num_output: 4 kernel_size: 3 pad: 1"), BOTTOM, 1, "Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 1"), BOTTOM, 1, "Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 1 pad: 1"), BOTTOM, 1, "Pad Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 3 stride: 2"), (2, 3, 2, 7), 1, "Pad Conv"),
    ("Convolution", convolution("num_output: 3 kernel_size: 3 pad: 1 dilation: 2 group: 3"), BOTTOM, 1, "Pad Conv"),
    ("Convolution", convolution("num_output: 3 kernel_size: 3 pad: 1 group: 3"), BOTTOM, 1, "Conv"),
    ("Convolution", convolution("num_output: 3 kernel_size: 3 dilation: 2 group: 3"), BOTTOM, 1, "Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 3"), (BOTTOM,) * 3, 3, "Conv Conv Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 3"), (2, 3, 7), 1, "Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 3"), (2, 3, 7, 5, 4), 1, "Conv"),
    ("Convolution", convolution("num_output: 4 kernel_size: 3 axis: 2"), (2, 3, 4, 7, 5), 1, "Reshape Conv Reshape"),
    ("Deconvolution", convolution("num_output: 4 kernel_size: 4 stride: 2 pad: 1"), BOTTOM, 1, "ConvTranspose"),
    ("Deconvolution", convolution("num_output: 4 kernel_size: 1 pad: 1"), BOTTOM, 1, "ConvTranspose Slice"),
    ("Deconvolution", convolution("num_output: 4 kernel_size: 2"), (2, 3, 7), 1, "Reshape ConvTranspose Reshape"),
    ("Im2col", convolution("kernel_size: 3"), BOTTOM, 1, "Gather Gather Transpose Reshape"),
    ("Im2col", convolution("kernel_size: 3 pad: 1"), (2, 3, 7), 1, "Pad Gather Reshape"),
    ("InnerProduct", "inner_product_param { num_output: 4 }", (3, 11), 1, "Gemm"),
    ("InnerProduct", "inner_product_param { num_output: 4 transpose: true bias_term: false }", (3, 11), 1, "Gemm"),
    ("InnerProduct", "inner_product_param { num_output: 4 }", BOTTOM, 1, "Reshape Gemm"),
    ("InnerProduct", "inner_product_param { num_output: 4 axis: -1 bias_term: false }", BOTTOM, 1, "MatMul"),
    ("InnerProduct", "inner_product_param { num_output: 4 axis: 2 }", BOTTOM, 1, "Reshape MatMul Add"),
    ("PReLU", "", (3, 11), 1, "PRelu"),
]


@pytest.mark.parametrize(("type_name", "text", "bottoms", "tops", "nodes"), GRAPHS)
def test_no_node_too_many(tmp_path, type_name, text, bottoms, tops, nodes):
    graph = convert_net(net_of(tmp_path, type_name, text, bottoms, tops)).graph
    assert [node.op_type for node in graph.node] == nodes.split()
    stored = [constant.name for constant in graph.initializer if constant.name.endswith("weights")]
    assert len(stored) == (type_name not in ("Im2col", "PReLU")), "several bottoms share their weights"


BAD = [
    ("Convolution", "num_output: 4 kernel_size: [2, 3]", (2, 3, 7, 5, 4), "2 values of kernel_size.* 1 or 3"),
    ("Convolution", "num_output: 4 kernel_size: 2 stride: [1, 2, 3]", BOTTOM, "3 values of stride.* 1 or 2"),
    ("Convolution", "num_output: 4 kernel_size: 2 pad: [1, 2]", (2, 3, 7), "2 values of pad.* 1 or 1"),
    ("Convolution", "num_output: 4 kernel_size: 2 dilation: [1, 1, 1]", BOTTOM, "3 values of dilation"),
    ("Convolution", "num_output: 4", BOTTOM, "0 values of kernel_size"),
    ("Convolution", "num_output: 4 kernel_h: 2 kernel_w: 2", (2, 3, 7, 5, 4), "kernel_h or kernel_w.* 3 axes"),
    ("Convolution", "num_output: 4 kernel_size: 2 pad_h: 2", (2, 3, 7), "pad_h or pad_w.* 1 axes"),
    ("Convolution", "num_output: 4 kernel_h: 2", BOTTOM, r"kernel \(2, 0\) must not be 0"),
    ("Convolution", "num_output: 4 kernel_size: 2 stride_w: 2", BOTTOM, r"stride \(0, 2\) must not be 0"),
    ("Convolution", "num_output: 4 kernel_size: 2 pad: 1 pad_w: 2", BOTTOM, "pad and pad_h or pad_w"),
    ("Convolution", "num_output: 4 kernel_size: 2 axis: 4", BOTTOM, "axis 4 of a bottom with 4 axes"),
    ("Convolution", "num_output: 4 kernel_size: 2 axis: -5", BOTTOM, "axis -5 of a bottom with 4 axes"),
    ("Convolution", "kernel_size: 2", BOTTOM, "num_output 0"),
    ("Convolution", "num_output: 4 kernel_size: 2 group: 0", BOTTOM, "group 0"),
    ("Convolution", "num_output: 4 kernel_size: 2 group: 3", BOTTOM, "group 3 must divide 3 channels and num_output 4"),
    ("Convolution", "num_output: 4 kernel_size: 9", BOTTOM, r"too small.*\(2, 4, -1, -3\)"),
    ("Convolution", "num_output: 4 kernel_size: 9 stride: 2", BOTTOM, "too small"),
    ("Deconvolution", "num_output: 4 kernel_size: 2 group: 3", BOTTOM, "group 3 must divide"),
    ("Deconvolution", "num_output: 4 kernel_size: 2 pad: 4", BOTTOM, r"too small.*\(2, 4, 0, -2\)"),
    ("Deconvolution", "kernel_size: 2", BOTTOM, "num_output 0"),
    ("Im2col", "kernel_size: 2 axis: 3", BOTTOM, "axis 3 is the last"),
    ("Im2col", "kernel_size: 9", BOTTOM, "too small"),
]


@pytest.mark.parametrize(("type_name", "text", "bottom", "message"), BAD)
def test_what_caffe_refuses(tmp_path, type_name, text, bottom, message):
    (tmp_path / "a.prototxt").write_text(one_layer(type_name, convolution(text), bottom))
    with pytest.raises(BadInput, match=message) as caught:
        read_net(tmp_path / "a.prototxt")
    assert not isinstance(caught.value, Unsupported)
    assert f"layer 'top' ({type_name})" in str(caught.value)


UNSUPPORTED = [
    ("Convolution", "num_output: 4 kernel_size: 2 dilation: 0", BOTTOM, r"dilation \(0, 0\)"),
    (
        "Convolution",
        f"num_output: 4 kernel_size: 1 pad: {LARGE} stride: {LARGE}",
        BOTTOM,
        "a padded bottom has at most",
    ),
    ("Convolution", f"num_output: 4 kernel_size: 2 dilation: {LARGE} stride: {LARGE}", BOTTOM, "a padded bottom has"),
    ("Im2col", f"kernel_size: 2 dilation: {LARGE} stride: {LARGE}", BOTTOM, "a padded bottom has at most"),
    ("Deconvolution", f"num_output: 4 kernel_size: 1 stride: {2**31} pad: {2**31}", BOTTOM, "a top has at most"),
    ("Deconvolution", f"num_output: 4 kernel_size: 2 dilation: {2**31} pad: {2**30}", BOTTOM, "a top has at most"),
    ("Deconvolution", "num_output: 1 kernel_size: 2 dilation: 4000 pad: 2000", (1, 64, 3, 3), "a dilated kernel has"),
    ("ConvolutionDepthwise", "num_output: 6 kernel_size: 2", BOTTOM, "num_output 6.* as many as channels, 3"),
    ("DepthwiseConvolution", "num_output: 3 group: 1 kernel_size: 2", BOTTOM, "group 1.* as many as channels, 3"),
]


@pytest.mark.parametrize(("type_name", "text", "bottom", "message"), UNSUPPORTED)
def test_what_is_not_supported(tmp_path, type_name, text, bottom, message):
    (tmp_path / "a.prototxt").write_text(one_layer(type_name, convolution(text), bottom))
    with pytest.raises(Unsupported, match=message):
        read_net(tmp_path / "a.prototxt")


@pytest.mark.parametrize("type_name", ["Convolution", "Deconvolution", "Im2col", *DEPTHWISE])
@pytest.mark.parametrize("name", ["kernel_size", "pad", "dilation"])
def test_sizes_that_no_memory_holds(tmp_path, type_name, name):
    said = {"kernel_size": 3, name: LARGE}
    text = " ".join(f"{key}: {value}" for key, value in said.items())
    (tmp_path / "a.prototxt").write_text(one_layer(type_name, convolution(f"num_output: 3 {text}"), BOTTOM))
    with pytest.raises(BadInput, match="layer 'top'"):
        read_net(tmp_path / "a.prototxt")


MANY = [
    ((BOTTOM, BOTTOM), 1, BadInput, "2 bottoms and 1 tops; each bottom needs a top"),
    ((BOTTOM,), 2, BadInput, "1 bottoms and 2 tops"),
    ((BOTTOM, (2, 3, 7, 6)), 2, BadInput, r"'data_2' has the shape \(2, 3, 7, 6\).*\(2, 3, 7, 5\)"),
]


@pytest.mark.parametrize(("bottoms", "tops", "error", "message"), MANY)
@pytest.mark.parametrize("type_name", ["Convolution", "Deconvolution"])
def test_bottoms_and_tops_come_in_pairs(tmp_path, type_name, bottoms, tops, error, message):
    (tmp_path / "a.prototxt").write_text(
        one_layer(type_name, convolution("num_output: 4 kernel_size: 2"), bottoms, tops)
    )
    with pytest.raises(error, match=message):
        read_net(tmp_path / "a.prototxt")


@pytest.mark.parametrize("type_name", ["Convolution", "Deconvolution", "Im2col", "InnerProduct"])
def test_a_top_over_the_bottom_is_refused(tmp_path, type_name):
    text = one_layer(type_name, "", BOTTOM).replace('top: "top"', 'top: "data"')
    (tmp_path / "a.prototxt").write_text(text)
    with pytest.raises(Unsupported, match="top 'data' over the bottom 'data'"):
        read_net(tmp_path / "a.prototxt")


@pytest.mark.parametrize("bottom", [(7,), (2, 7, 5, 3, 4)])
def test_prelu_needs_channels(tmp_path, bottom):
    (tmp_path / "a.prototxt").write_text(one_layer("PReLU", "", bottom))
    with pytest.raises(BadInput, match="it needs 2 to 4 axes"):
        read_net(tmp_path / "a.prototxt")
