"""Faulty conversions and faulty runtimes: the right layer is named, the right one is blamed, and no clean file is."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import layer_cases
import numpy as np
import onnx
import pytest
from caffe_nets import caffemodel, write
from golden_numbers import real
from layer_cases import one_layer
from mutants import MUTANTS, embedded, network, node, preprocessing, set_attribute, with_fields
from random_nets import filled, random_network
from test_caffe_nets import NETS

from converters import __main__ as command
from converters.caffe import bisection as bisect_module
from converters.caffe import convert_net
from converters.caffe.bisection import bisect
from converters.caffe.bisection.graph import read_graph
from converters.caffe.net import read_net
from converters.errors import BadInput, run_command
from converters.onnx_file import to_bytes
from converters.runtimes import NODE_BY_NODE, RUNTIMES, available

CLEAN_SEEDS = range(0, 40, 2)
CONVERTER = ("converter",)


@pytest.fixture
def nets(tmp_path):
    """Return the network as its files have it, and with the preprocessing in front."""
    return read_net(*network(tmp_path)), embedded(tmp_path)


@pytest.fixture
def judge(tmp_path, nets):
    """Return what compares a model with the network (with preprocessing unless another one is given)."""

    def compare(model, net=nets[1]):
        path = tmp_path / "net.onnx"
        path.write_bytes(to_bytes(model))
        return bisect(net, read_graph(path), path)

    return compare


@pytest.fixture
def disturb(monkeypatch):
    """Return what makes a runtime change one tensor."""

    def change(runtime, tensor, wrong, *, optimised_only=False):
        for table in (RUNTIMES,) if optimised_only else (RUNTIMES, NODE_BY_NODE):
            right = table[runtime]

            def run(model, feeds, right=right):
                found = right(model, feeds)
                return {name: wrong(value) if name == tensor else value for name, value in found.items()}

            monkeypatch.setitem(table, runtime, run)

    return change


def called(runtime):
    return f"{runtime} {available()[runtime]}"


def alarms(report):
    """Return what was found, without the errors of OpenCV 4 that are its own: vectors have two axes there."""
    return [f for f in report.findings if not (f.blame[0].startswith("opencv 4.") and f.hint.startswith("shape"))]


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_faulty_conversion_is_named(nets, judge, mutant):
    (finding,) = judge(mutant.convert(*nets)).findings
    assert finding.layer == mutant.layer
    assert mutant.layer in finding.layers
    assert finding.blame == CONVERTER
    assert mutant.hint in finding.hint
    assert finding.found.keys() == {called(runtime) for runtime in RUNTIMES}
    assert all(found.max_rel > 1e-4 for found in finding.found.values())


def test_there_are_the_twelve_mutants():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12


def test_two_faults_are_two_rows_in_order(nets, judge):
    model = next(mutant for mutant in MUTANTS if mutant.name == "k dropped").convert(*nets)
    set_attribute(node(model.graph, "fc4"), transB=0)
    findings = judge(model).findings
    assert [(finding.layer, finding.blame) for finding in findings] == [("norm1", CONVERTER), ("fc4", CONVERTER)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("tensor", ["pool1", "conv2", "prob"])
def test_a_faulty_runtime_is_named(nets, judge, disturb, runtime, tensor):
    disturb(runtime, tensor, lambda value: value + np.float32(0.01) * np.abs(value).max())
    (finding,) = judge(convert_net(nets[1])).findings
    assert (finding.layer, finding.blob) == (tensor, tensor)
    assert finding.blame == (called(runtime),)
    (other,) = (called(name) for name in RUNTIMES if name != runtime)
    assert finding.found[other].max_rel < 1e-5
    assert finding.found[called(runtime)].max_rel == pytest.approx(0.01, rel=0.1)


def test_a_runtime_and_the_converter_are_told_apart(nets, judge, disturb):
    disturb("opencv", "pool1", lambda value: value * np.float32(1.01))
    model = convert_net(nets[1])
    set_attribute(node(model.graph, "fc4"), transB=0)
    findings = judge(model).findings
    assert [(finding.layer, finding.blame) for finding in findings] == [
        ("pool1", (called("opencv"),)),
        ("fc4", CONVERTER),
    ]
    assert findings[0].hint == "scaled by a constant, 1.01"


def test_a_fault_of_the_optimised_graph_alone(nets, judge, disturb):
    disturb("onnxruntime", "prob", lambda value: value[:, ::-1], optimised_only=True)
    (finding,) = judge(convert_net(nets[1])).findings
    assert (finding.title, finding.layer, finding.blob) == ("the whole network", "", "prob")
    assert finding.blame == (called("onnxruntime"),)
    assert "its own optimisation" in finding.why


def test_a_fault_within_the_whole_graph_only(nets, judge, monkeypatch):
    for table in (RUNTIMES, NODE_BY_NODE):
        right = table["opencv"]

        def run(model, feeds, right=right):
            found = right(model, feeds)
            return {n: v + 1 if n == "norm1" and len(found) > 1 else v for n, v in found.items()}

        monkeypatch.setitem(table, "opencv", run)
    (finding,) = judge(convert_net(nets[1])).findings
    assert (finding.layer, finding.blame) == ("norm1", (called("opencv"),))
    assert "only as a part of the whole graph" in finding.why


def test_two_faulty_runtimes_are_outvoted_by_onnx(nets, judge, disturb):
    disturb("onnxruntime", "pool1", lambda value: value + 1)
    disturb("opencv", "pool1", lambda value: value - 1)
    (finding,) = judge(convert_net(nets[1])).findings
    assert (finding.layer, set(finding.blame)) == ("pool1", {called(runtime) for runtime in RUNTIMES})


def test_three_that_do_not_agree_are_undecided(nets, judge, disturb):
    disturb("onnxruntime", "fc4", lambda value: value + 50)
    disturb("opencv", "fc4", lambda value: value - 50)
    model = convert_net(nets[1])
    set_attribute(node(model.graph, "fc4"), transB=0)
    finding = judge(model).findings[0]
    assert (finding.layer, finding.blame) == ("fc4", ("undecided",))
    assert "1e+02 apart" in finding.why


@pytest.mark.parametrize("faulty", [True, False])
def test_one_runtime_alone_has_onnx_as_a_witness(nets, judge, monkeypatch, disturb, faulty):
    alone = {"onnxruntime": available()["onnxruntime"], "opencv": "not installed: no"}
    monkeypatch.setattr(bisect_module, "available", lambda: alone)
    model = convert_net(nets[1])
    if faulty:
        disturb("onnxruntime", "fc4", lambda value: value + 1)
    else:
        set_attribute(node(model.graph, "fc4"), transB=0)
    (finding,) = judge(model).findings
    assert (finding.layer, finding.blame) == ("fc4", (called("onnxruntime"),) if faulty else CONVERTER)


def test_no_runtime(nets, judge, monkeypatch):
    monkeypatch.setattr(bisect_module, "available", lambda: dict.fromkeys(RUNTIMES, "not installed: no"))
    with pytest.raises(BadInput, match="no runtime to compare on; install one of: onnxruntime, opencv"):
        judge(convert_net(nets[1]))


def test_a_part_that_nothing_runs(nets, judge):
    model = convert_net(nets[1])
    set_attribute(node(model.graph, "fc4"), transA=1)
    (finding,) = judge(model).findings
    assert (finding.layer, finding.blame) == ("fc4", CONVERTER)
    assert "nothing runs it" in finding.why


@pytest.mark.parametrize("seed", CLEAN_SEEDS)
def test_no_alarm_on_clean_networks(tmp_path, judge, seed):
    drawn = random_network(seed)
    weights, _ = filled(drawn, seed)
    (tmp_path / "r.prototxt").write_text(drawn.text)
    (tmp_path / "r.caffemodel").write_bytes(caffemodel(weights))
    net = read_net(tmp_path / "r.prototxt", tmp_path / "r.caffemodel" if weights else None)
    report = judge(convert_net(net), net)
    assert alarms(report) == []
    assert report.compared >= {top for op in net.layers for top in op.tops} & set(net.outputs)


@pytest.mark.parametrize("lrn", ["lowered", "native"])
def test_no_alarm_on_the_network_of_the_mutants(nets, judge, lrn):
    for net in nets:
        report = judge(convert_net(net, lrn=lrn), net)
        assert (report.findings, list(report.notes)) == ([], [])
        assert report.compared > {"pool1", "norm1", "conv2", "prob", "map_prob"}


@pytest.mark.parametrize("path", [p for p in NETS if p.with_suffix(".npz").exists()], ids=lambda path: path.stem)
def test_no_alarm_on_golden_networks(tmp_path, judge, path):
    weights: dict[str, list[np.ndarray]] = {}
    with np.load(path.with_suffix(".npz")) as stored:
        for key in [key for key in stored.files if key.startswith("weights ")]:
            weights.setdefault(key.split()[1], []).append(real(stored[key], fan_in=True))
    (tmp_path / "g.caffemodel").write_bytes(caffemodel(weights))
    net = read_net(path, tmp_path / "g.caffemodel")
    assert alarms(judge(convert_net(net), net)) == []


@pytest.mark.parametrize("name", ["det1", "det2", "det3", "det4"])
def test_no_alarm_on_mtcnn(mirror, judge, name):
    folder = mirror and next((f for f in (mirror / "mtcnn", mirror) if (f / f"{name}.caffemodel").is_file()), None)
    if folder is None:
        pytest.skip(f"no mtcnn/{name}.caffemodel in $ZOO_MIRROR")
    net = read_net(folder / f"{name}.prototxt", folder / f"{name}.caffemodel")
    assert alarms(judge(convert_net(net), net)) == []


@pytest.mark.parametrize("name", ["age", "gender"])
def test_no_alarm_on_levi_hassner(levi_hassner, name):
    files, model = levi_hassner[name].files, levi_hassner[name].model
    net = read_net(files["prototxt"], files["caffemodel"])
    assert bisect(net, read_graph(model), model).findings == []


def renamed(model, names):
    """Give the tensors of a model other names."""
    for part in model.graph.node:
        part.input[:] = [names.get(name, name) for name in part.input]
        part.output[:] = [names.get(name, name) for name in part.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = names.get(value.name, value.name)
    return model


def numbered(model):
    """Return numbers for the names of all tensors that nodes make, and of the inputs."""
    made = [name for part in model.graph.node for name in part.output]
    return {name: str(i) for i, name in enumerate([*(value.name for value in model.graph.input), *made])}


def test_a_file_without_caffe_names(nets, judge):
    model = convert_net(nets[0])
    report = judge(renamed(model, numbered(model)), nets[0])
    assert report.findings == []
    (note,) = report.notes
    assert note.endswith(": 11 are matched by shape and order")


def test_a_fault_in_a_file_without_caffe_names(nets, judge):
    model = convert_net(nets[0])
    set_attribute(node(model.graph, "fc4"), transB=0)
    (finding,) = judge(renamed(model, numbered(model)), nets[0]).findings
    assert (finding.layer, finding.blame) == ("fc4", CONVERTER)
    node(model.graph, numbered_name(model, "MaxPool")).op_type = "AveragePool"
    (finding,) = judge(model, nets[0]).findings  # what comes behind it is not judged
    assert (finding.layer, finding.blame) == ("pool1", CONVERTER)
    assert finding.hint == "it takes the largest for the mean, or the other way round"


def numbered_name(model, kind):
    """Return the first tensor that a node of this kind makes."""
    return next(part.output[0] for part in model.graph.node if part.op_type == kind)


def test_a_name_that_means_the_value_before_an_in_place_layer(nets, judge):
    model = renamed(convert_net(nets[0]), {"fc3": "relu3", "fc3@fc3": "fc3", "pool2": "relu2", "pool2@pool2": "pool2"})
    report = judge(model, nets[0])
    assert report.findings == []
    assert report.compared >= {"fc3@fc3", "pool2@pool2"}
    set_attribute(node(model.graph, "relu2"), alpha=0.5)
    (finding,) = judge(model, nets[0]).findings
    assert "relu2" in finding.layers
    assert finding.hint == ""


def test_only_outputs_can_be_compared(nets, judge):
    model = convert_net(nets[0])
    names = numbered(model)
    for part in model.graph.node:  # no runtime runs it, so nothing can be matched
        if "fc4" in part.output:
            set_attribute(part, transA=1)
    report = judge(renamed(model, names), nets[0])
    assert [finding.blame for finding in report.findings] == [CONVERTER]
    assert "only the outputs can be compared" in next(iter(report.notes))


def test_numbers_beyond_float32_are_left_out(tmp_path, judge):
    text = one_layer("Exp", "exp_param { base: 1000 }", (2, 3, 5))
    net = read_net(*write(tmp_path, text, (2, 3, 5)))
    report = judge(convert_net(net), net)
    assert report.findings == []
    assert report.compared == {"top"}  # on small inputs


def test_numbers_that_are_not_finite_hide_no_difference(tmp_path, judge):
    layers = 'layer { name: "exp" type: "Exp" bottom: "data" top: "exp" exp_param { scale: 10000 } }\n'
    layers += 'layer { name: "tanh" type: "TanH" bottom: "exp" top: "tanh" }'
    (tmp_path / "c.prototxt").write_text(layer_cases.network(layers, (2, 3, 5)))
    net = read_net(tmp_path / "c.prototxt")
    model = convert_net(net)
    assert judge(model, net).findings == []
    node(model.graph, "tanh").op_type = "Neg"
    findings = judge(model, net).findings
    assert {(finding.title, finding.blob, finding.blame) for finding in findings} == {
        ("the whole network", "tanh", ("undecided",))
    }


def test_what_cancels_out_is_no_alarm(tmp_path, judge):
    layers = 'layer { name: "mvn" type: "MVN" bottom: "data" top: "mvn" }\n'
    layers += 'layer { name: "sum" type: "Reduction" bottom: "mvn" top: "sum" reduction_param { axis: 2 } }'
    (tmp_path / "c.prototxt").write_text(layer_cases.network(layers, (2, 3, 40, 30)))
    net = read_net(tmp_path / "c.prototxt")
    assert alarms(judge(convert_net(net), net)) == []
    report = judge(convert_net(nudged(net, "sum", coeff=1.01)), net)  # 1 percent of nothing
    assert alarms(report) == []
    (finding,) = alarms(judge(convert_net(nudged(net, "sum", operation=2)), net))
    assert (finding.layer, finding.blame) == ("sum", CONVERTER)


def nudged(net, name, **fields):
    """Return a network with other parameters of one layer."""
    return replace(net, layers=tuple(with_fields(**fields)(op) if op.name == name else op for op in net.layers))


def call(capsys, *arguments):
    code = run_command(command.main, [str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def files(tmp_path, nets):
    """Return prototxt, caffemodel and a right ONNX file."""
    path = tmp_path / "net.onnx"
    path.write_bytes(to_bytes(convert_net(nets[0])))
    return [*network(tmp_path), path]


def test_command_without_a_difference(files, capsys):
    code, out, err = call(capsys, "bisect", *files)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("judge: the Caffe layers in numpy, double precision; ")
    assert out.splitlines()[1:] == ["no difference"]


def test_command_with_a_difference(files, capsys):
    model = onnx.load(files[2])
    set_attribute(node(model.graph, "fc4"), transB=0)
    onnx.save(model, files[2])
    code, out, err = call(capsys, "bisect", *files)
    assert (code, err) == (1, "")
    lines = [line.strip() for line in out.splitlines()]
    assert lines[1:4] == ["first difference:", "layer  fc4 (InnerProduct)", "blob   fc4"]
    assert any(line.startswith("blame  converter: ") for line in lines)
    assert lines[-1] == "looks as if  fc4: its weights (blob 0) are transposed"
    code, out, _ = call(capsys, "bisect", *files, "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["first"]["layer"], found["first"]["blame"]) == (1, False, "fc4", ["converter"])
    assert found["first"] == found["differences"][0]
    assert math.isfinite(found["first"]["found"][called("opencv")]["max_abs"])


def test_json_is_json_where_shapes_differ(files, capsys):
    model = onnx.load(files[2])
    set_attribute(node(model.graph, "pool1"), pads=[0, 0, 0, 0])
    onnx.save(model, files[2])
    code, out, _ = call(capsys, "bisect", *files, "--json")
    assert code == 1
    first = json.loads(out, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))["first"]
    assert first["found"][called("opencv")] == {"max_abs": None, "max_rel": None}


def test_embedded_preprocessing_is_read_from_the_file(files, tmp_path, capsys):
    out = tmp_path / "embedded.onnx"
    options = ("--embed-preprocessing", "--mean", "104,117,123", "--scale", "0.5", "--swap-rb")
    assert call(capsys, "caffe", *files[:2], "-o", out, *options)[0] == 0
    assert call(capsys, "bisect", *files[:2], out)[0] == 0
    assert call(capsys, "bisect", *files[:2], out, *options)[0] == 0
    code, found, _ = call(capsys, "bisect", *files[:2], out, *options[:-1])
    assert code == 1
    assert "first difference:" in found
    code, _, err = call(capsys, "bisect", *files, "--mean", "104,117,123")
    assert (code, "--embed-preprocessing" in err) == (2, True)


def test_an_embedded_mean_image_is_asked_for(files, tmp_path, nets, capsys):
    model = convert_net(nets[1], metadata={"preprocessing": preprocessing().described()})
    files[2].write_bytes(to_bytes(model))
    code, _, err = call(capsys, "bisect", *files)
    assert (code, err.strip()) == (2, f"error: {files[2]}: has a mean image in its graph; give --mean mean.binaryproto")
    assert call(capsys, "bisect", *files, "--mean", "1,2,3")[0] == 1
    onnx.helper.set_model_props(model, {"preprocessing": "[]"})
    files[2].write_bytes(to_bytes(model))
    assert "its 'preprocessing' cannot be read" in call(capsys, "bisect", *files)[2]


def bad_file(files, data):
    files[2].write_bytes(data)


def changed(files, change):
    model = onnx.load(files[2])
    change(model.graph)
    files[2].write_bytes(model.SerializeToString())


def wide_input(graph):
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = 25


def two_inputs(graph):
    graph.input.append(onnx.helper.make_tensor_value_info("more", 1, [1]))


def half(graph):
    graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda files: files[2].unlink(), "no such file; give an ONNX file"),
        (lambda files: bad_file(files, b""), "is no ONNX file: there are no nodes in it"),
        (lambda files: bad_file(files, b'layer { name: "x" }'), "is no whole ONNX file"),
        (lambda files: bad_file(files, files[2].read_bytes()[:-9]), "is no whole ONNX file"),
        (lambda files: files[0].unlink(), "net.prototxt: cannot be read"),
        (lambda files: files[1].unlink(), "net.caffemodel: cannot be read"),
        (
            lambda files: changed(files, wide_input),
            "input 'data' has the shape (any, 3, 25, 24); the network's is (N, 3",
        ),
        (lambda files: changed(files, two_inputs), "its inputs are data, more; the network has data"),
        (lambda files: changed(files, half), "input 'data' is not float32"),
        (lambda files: changed(files, lambda g: g.output.pop()), "has no output 'prob'; its outputs are map_prob"),
    ],
)
def test_wrong_input_is_one_line(files, capsys, spoil, message):
    spoil(files)
    code, out, err = call(capsys, "bisect", *files)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_folder_is_no_file(files, tmp_path, capsys):
    code, _, err = call(capsys, "bisect", *files[:2], tmp_path)
    assert (code, err.strip()) == (2, f"error: {tmp_path}: cannot be read: Is a directory; give an ONNX file")


def test_a_file_of_other_weights_is_said(files, tmp_path, capsys):
    prototxt, caffemodel, _ = files
    out = tmp_path / "made_up.onnx"
    assert call(capsys, "caffe", prototxt, "-o", out)[0] == 0
    assert "says of its weights: made up" in call(capsys, "bisect", prototxt, caffemodel, out)[2]
    other = tmp_path / "other.caffemodel"
    other.write_bytes(caffemodel.read_bytes() + b"\x0a\x01x")  # another name, the same weights
    code, _, err = call(capsys, "bisect", prototxt, other, files[2])
    assert (code, err.strip()) == (
        0,
        f"warning: {files[2]}: says that it was made from another caffemodel than {other.name}",
    )
