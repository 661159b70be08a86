"""The layers of the SSD fork against OpenCV 4 and the runtimes, and the face detector that people deploy.

OpenCV judges where it does as Caffe-SSD; ``ssd_cases`` says where it does not.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from caffe_nets import caffemodel
from golden_numbers import real
from layer_cases import cases, network, one_layer
from numpy.testing import assert_allclose
from ssd_cases import BOXES, CENTRES, DETECTORS, PLANE, Detector

import bench.sample
from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

GOLDEN = Path(__file__).parents[1] / "golden" / "ssd"
IMAGES = Path(bench.sample.__file__).parent / "images"
OPENCV_4 = cv2.__version__.startswith("4.")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "layers.npz") as found:
        return dict(found)


@pytest.fixture
def net(tmp_path):
    def read(text):
        (tmp_path / "a.prototxt").write_text(text)
        return read_net(tmp_path / "a.prototxt")

    return read


def judged(table):
    return [pytest.param(i, case, id=case.text) for i, case in enumerate(table) if not case.differs]


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    if request.param == "opencv" and OPENCV_4:
        pytest.skip("OpenCV 4 has no NonMaxSuppression; it reads Caffe itself")
    return request.param


@pytest.mark.parametrize(("index", "case"), judged(BOXES))
def test_boxes_are_those_of_opencv(net, golden, index, case):
    assert golden[f"boxes {index} text"] == case.text, "the cases changed: run tests/golden/make_ssd_layers.py again"
    top = run(net(case.network), {"data": np.zeros(case.feature), "data_2": np.zeros(case.image)})["top"]
    assert_allclose(top, golden[f"boxes {index}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("index", "case"), judged(DETECTORS))
def test_rows_are_those_of_opencv(net, golden, index, case):
    assert golden[f"rows {index} text"] == case.text, "the cases changed: run tests/golden/make_ssd_layers.py again"
    rows, expected = run(net(case.network), case.feed())["top"][0, 0], golden[f"rows {index}"]
    if len(expected) == 0:
        expected = np.insert(np.full((2, 6), -1), 0, range(2), axis=1)
    assert_allclose(rows, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", [case for case in cases() if case.type == "Normalize"], ids=str)
def test_normalize_is_that_of_opencv(tmp_path, golden, case):
    key = f"normalize {case.number}"
    if key not in golden:
        pytest.skip("OpenCV takes 4 axes, and weights a channel only where a pixel is scaled")
    assert golden[f"{key} text"] == case.text
    (tmp_path / "a.prototxt").write_text(case.network)
    (tmp_path / "a.caffemodel").write_bytes(caffemodel({"top": [real(golden[f"{key} weights"])]}))
    blobs = run(read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel"), {"data": real(golden[f"{key} data"])})
    assert_allclose(blobs["top"], golden[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", BOXES, ids=lambda case: case.text)
def test_boxes_are_a_constant(net, case):
    read = net(case.network)
    model = convert_net(read)
    feeds = {"data": np.zeros(case.feature, np.float32), "data_2": np.zeros(case.image, np.float32)}
    assert {node.op_type for node in model.graph.node} == {"Identity"}
    found = RUNTIMES["onnxruntime"](to_bytes(model), feeds)["top"]
    assert_allclose(found, run(read, feeds)["top"], rtol=1e-5, atol=1e-6)


def test_boxes_by_hand(net):
    text = "min_size: 4.9 max_size: 9.9 aspect_ratio: 4 variance: 0.5 offset: 0 step: 10"
    bottoms = ((1, 5, 1, 2), (1, 3, 10, 20))
    feeds = {"data": np.zeros(bottoms[0]), "data_2": np.zeros(bottoms[1])}
    top = run(net(one_layer("PriorBox", f"prior_box_param {{ {text} }}", bottoms)), feeds)["top"]
    boxes = top[0, 0].reshape(2, 4, 4) * [20, 10, 20, 10]
    assert_allclose(boxes[1], [[8, -2, 12, 2], [7, -3, 13, 3], [6, -1, 14, 1], [9, -4, 11, 4]], atol=1e-12)
    assert_allclose(top[0, 1], 0.5)


@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("case", DETECTORS, ids=lambda case: case.text)
def test_runtimes_give_the_rows_of_the_reference(request, net, runtime, case, images):
    if runtime == "opencv" and case.cannot:
        request.applymarker(pytest.mark.xfail(reason=f"OpenCV 5 {case.cannot}", strict=True))
    read = net(case.network)
    feeds = case.feed(images)
    found = RUNTIMES[runtime](to_bytes(convert_net(read)), feeds)["top"]
    assert_allclose(found, run(read, feeds)["top"], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(OPENCV_4, reason="OpenCV 4 has no NonMaxSuppression")
@pytest.mark.parametrize("case", [case for case in DETECTORS if not case.cannot], ids=lambda case: case.text)
def test_opencv_5_gives_them_run_after_run(net, case):
    read = net(case.network)
    model = np.frombuffer(to_bytes(convert_net(read)), np.uint8)
    used = cv2.dnn.readNetFromONNX(model, cv2.dnn.ENGINE_NEW)
    for images, scale in ((2, 1), (1, 1), (3, 0.8), (3, 0.1), (2, 1), (1, 0.1), (4, 1)):
        feeds = case.feed(images)
        feeds["data_2"] *= np.float32(scale)
        for name, feed in feeds.items():
            used.setInput(feed, name)
        assert_allclose(used.forward("top"), run(read, feeds)["top"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("more", ["", "top_k: 9", "top_k: 30"])
@pytest.mark.parametrize("kept", [100, 11])
@pytest.mark.parametrize("shared", ["true", "false"])
def test_of_equal_scores_the_first_are_taken(net, runtime, more, kept, shared):
    text = f"keep_top_k: {kept} share_location: {shared} nms_param {{ nms_threshold: 0.4 {more} }}"
    case = Detector(f"code_type: CENTER_SIZE confidence_threshold: 0.3 {text}")
    read, feeds = net(case.network), case.feed(3)
    feeds["data_2"] = np.round(feeds["data_2"] * 4) / 4
    found = RUNTIMES[runtime](to_bytes(convert_net(read)), feeds)["top"]
    assert_allclose(found, run(read, feeds)["top"], rtol=1e-4, atol=1e-5)


def test_an_image_without_detections_has_rows_only_when_all_are(net, runtime):
    case = Detector("code_type: CENTER_SIZE confidence_threshold: 0.5 keep_top_k: 20 nms_param { top_k: 9 }")
    read, feeds = net(case.network), case.feed(3)
    model = to_bytes(convert_net(read))
    feeds["data_2"][1] = 0
    for judge in (lambda: RUNTIMES[runtime](model, feeds)["top"], lambda: run(read, feeds)["top"]):
        assert set(judge()[0, 0, :, 0]) == {0, 2}
    feeds["data_2"][:] = 0.4
    for judge in (lambda: RUNTIMES[runtime](model, feeds)["top"], lambda: run(read, feeds)["top"]):
        assert_allclose(judge(), [[[[image, *[-1] * 6] for image in range(3)]]])


def test_rows_stand_in_order(net):
    rows = run(net(DETECTORS[6].network), DETECTORS[6].feed(3))["top"][0, 0]
    assert len(rows) == 3 * 13
    assert (rows == rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))]).all()


def test_the_number_of_rows_is_free_and_no_constant_is_left_over(net):
    model = convert_net(net(DETECTORS[5].network))
    (top,) = model.graph.output
    assert [d.dim_param or d.dim_value for d in top.type.tensor_type.shape.dim] == [1, 1, "top_rows", 7]
    assert {c.name for c in model.graph.initializer} <= {name for node in model.graph.node for name in node.input}


def test_what_only_saves_or_shows_is_ignored(net):
    shown = (
        "visualize: true visualize_threshold: 0.3 save_file: 'a' save_output_param { output_directory: 'x' "
        "label_map_file: 'y' resize_param { prob: 1 resize_mode: WARP interp_mode: LINEAR interp_mode: AREA } }"
    )
    case = Detector(f"{CENTRES} {shown}")
    assert net(case.network.replace('bottom: "priors"', 'bottom: "priors" bottom: "data"')).shapes["top"] == (
        1,
        1,
        1,
        7,
    )


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("nms_param { eta: 0.9 }", Unsupported, "eta 0.89"),
        ("nms_param { eta: 0 }", BadInput, "eta 0"),
        ("nms_param { nms_threshold: -0.1 }", BadInput, "nms_threshold -0.1"),
        ("nms_param { nms_threshold: nan }", BadInput, "nms_threshold nan"),
        ("nms_param { top_k: 0 }", Unsupported, "top_k 0"),
        ("keep_top_k: 0", Unsupported, "keep_top_k 0"),
        ("normalized_bbox: false", Unsupported, "normalized_bbox"),
        ("share_location: false", BadInput, "'loc_flat' has the shape (2, 192); 48 priors and 4 classes need (2, 768)"),
        ("code_type: MIDDLE", Unsupported, "MIDDLE"),
    ],
)
def test_detections_that_cannot_be(net, text, error, said):
    layers = Detector("").network.replace("num_classes: 4 ", f"num_classes: 4 {text}")
    with pytest.raises(error, match=r"a\.prototxt:.*layer 'top'") as raised:
        net(layers)
    assert said in str(raised.value)
    assert isinstance(raised.value, Unsupported) == (error is Unsupported)


def test_num_classes_is_needed_and_must_fit(net):
    with pytest.raises(BadInput, match="needs num_classes"):
        net(Detector("").network.replace("num_classes: 4", ""))
    with pytest.raises(
        BadInput, match=r"'conf_flat' has the shape \(2, 192\); 48 priors and 5 classes need \(2, 240\)"
    ):
        net(Detector("").network.replace("num_classes: 4", "num_classes: 5"))
    with pytest.raises(Unsupported, match="nothing to be found"):
        net(Detector("", classes=1).network)


def test_priors_of_no_size_are_refused_where_sizes_count(net):
    tiny = Detector(CENTRES, priors="min_size: 0.5", places=1)
    with pytest.raises(BadInput, match="no width"):
        convert_net(net(tiny.network))


def test_priors_must_be_known(net):
    layer = """layer { name: "top" type: "DetectionOutput" bottom: "data" bottom: "data_2" bottom: "data_3" top: "top"
        detection_output_param { num_classes: 2 } }"""
    with pytest.raises(Unsupported, match="priors that follow from an input"):
        convert_net(net(network(layer, ((2, 24), (2, 12), (1, 2, 24)))))
    with pytest.raises(BadInput, match=r"'data_3' has the shape \(1, 1, 24\)"):
        net(network(layer, ((2, 24), (2, 12), (1, 1, 24))))


def test_nothing_can_follow_the_rows(net):
    after = '\nlayer { name: "after" type: "Power" bottom: "top" top: "after" }'
    with pytest.raises(Unsupported, match="'top', whose length depends on the numbers"):
        net(Detector(CENTRES).network + after)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "0 min_size"),
        ("min_size: 0", "sizes are above 0"),
        ("min_size: nan", "sizes are above 0"),
        ("min_size: inf", "sizes are above 0"),
        ("min_size: 9 max_size: 9", "larger than that"),
        ("min_size: 9 min_size: 4 max_size: 12", "give one for each"),
        ("min_size: 9 aspect_ratio: 0", "aspect_ratio 0"),
        ("min_size: 9 variance: 0", "variance [0.0]"),
        ("min_size: 9 variance: 1 variance: 2", "give one or four"),
        ("min_size: 9 img_size: 0", "img_size 0"),
        ("min_size: 9 img_size: 4 img_h: 4 img_w: 4", "img_size, or img_h and img_w"),
        ("min_size: 9 img_h: 4", "img_size, or img_h and img_w"),
        ("min_size: 9 step: 0", "step 0"),
        ("min_size: 9 step: 4 step_h: 4 step_w: 4", "step, or step_h and step_w"),
        ("min_size: 9 step_w: 4", "step, or step_h and step_w"),
        ("min_size: 9" + " aspect_ratio: 3" * 1001, "1001 aspect_ratio"),
    ],
    ids=lambda text: text[:60],
)
def test_boxes_that_caffe_refuses(net, text, said):
    with pytest.raises(BadInput, match=r"a\.prototxt:.*layer 'top'") as raised:
        net(one_layer("PriorBox", f"prior_box_param {{ {text} }}", ((2, 5, *PLANE), (2, 3, 20, 30))))
    assert said in str(raised.value)


def test_boxes_need_planes(net):
    with pytest.raises(BadInput, match="both need 4 axes"):
        net(one_layer("PriorBox", "prior_box_param { min_size: 9 }", ((2, 5, 3), (2, 3, 20, 30))))


@pytest.fixture(scope="module")
def res10(face_detector):
    return read_net(face_detector["prototxt"], face_detector["caffemodel"])


@pytest.fixture(scope="module")
def res10_model(res10):
    return to_bytes(convert_net(res10))


def faces(count):
    images = [cv2.imread(str(path)) for path in sorted(IMAGES.glob("*.jpg"))[:count]]
    return {"data": cv2.dnn.blobFromImages(images, 1.0, (300, 300), (104, 177, 123))}


@pytest.mark.parametrize("images", [1, 3])
def test_the_face_detector_finds_what_opencv_4_finds(res10_model, runtime, images):
    with np.load(GOLDEN / "res10.npz") as golden:
        expected = golden[f"rows {images}"]
    found = RUNTIMES[runtime](res10_model, faces(images))["detection_out"]
    assert found.shape == (1, 1, *expected.shape)
    assert len(expected) > 100 * images
    assert_allclose(found[0, 0], expected, atol=1e-4)


def test_the_face_detector_has_the_reference_rows(res10):
    with np.load(GOLDEN / "res10.npz") as golden:
        expected = golden["rows 1"]
    assert_allclose(run(res10, faces(1))["detection_out"][0, 0], expected, atol=1e-4)


def test_the_face_detectors_priors_are_no_nodes(res10_model):
    graph = onnx.load_from_string(res10_model).graph
    assert not [node.name for node in graph.node if "prior" in node.name]
    assert sum(node.op_type == "NonMaxSuppression" for node in graph.node) == 1
