"""``python -m bench`` from end to end on tiny real networks: files, exit codes, resuming, and bad input."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bench_cases import FAULTY

import zoo.__main__
import zoo.card
import zoo.store
import zoo.variants
from bench import accuracy, backends, latency, results, roofline
from bench import run as running
from bench.cli import main
from bench.devices import Chosen
from bench.results import RESULTS, read_results, read_run


def bench_run(zoo, out, *more, data=True):
    faces = ["--data", f"csv={zoo.faces}"] if data else []
    backends = [] if "--backend" in more else ["--backend", "onnxruntime,opencv"]
    always = ["--out", str(out), "--threads", "1", "--device", "cpu", "--budget", "0.02"]
    return main(["run", *always, *faces, *backends, *more])


def said(capsys):
    return capsys.readouterr().err.strip().splitlines()


def errors(capsys):
    return [line for line in said(capsys) if not line.startswith("[")]


def test_a_run_leaves_every_planned_case_with_its_proof(tiny_zoo, tmp_path, capsys):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--batch", "1,3") == 0
    results = read_results(out)
    found = {(r.case.kind, r.case.network, r.case.backend, r.case.batch) for r in results}
    backends = ("onnxruntime", "opencv")
    assert found == {("latency", n, b, s) for n in ("tiny", "twin") for b in backends for s in (1, 3)} | {
        ("accuracy", n, b, 8) for n in ("tiny", "tiny@rgb", "twin", "twin@rgb") for b in backends
    }
    assert {r.status for r in results} == {"ok"}
    for result in results:
        assert result.parity.reference == "numpy by hand"
        assert result.parity.max_abs < 1e-6
        assert sum(result.placement.values()) > 0
    pictures = {f"latency-batch-{batch}-threads-1" for batch in (1, 3)} | {"stages", "accuracy-latency-gender-csv-all"}
    drawn = {f"{name}.{form}" for name in pictures for form in ("png", "svg")}
    files = {"run.json", RESULTS, "report.md", "report.html", "predictions", *drawn}
    assert {p.name for p in out.iterdir()} == files
    assert f"report: {out / 'report.md'}" in capsys.readouterr().out
    run = read_run(out)
    assert run.config.data == ("csv:all",)
    assert str(tmp_path) not in (out / "run.json").read_text() + (out / "report.md").read_text()


def test_a_run_says_what_its_networks_cost_and_what_the_machine_can(tiny_zoo, tmp_path):
    assert zoo.__main__.main(["build", "tiny", "--precision", "fp16"]) == 0
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--batch", "1,3", "--precision", "fp32,fp16") == 0
    run = read_run(out)
    assert run.costs.keys() == {"tiny", "tiny@rgb", "twin", "twin@rgb"}
    assert {name for name, of in run.costs.items() if "fp16" in of} == {"tiny", "tiny@rgb"}
    assert all("fp32" in of for of in run.costs.values())
    full, half = run.costs["tiny"]["fp32"], run.costs["tiny"]["fp16"]
    assert full.file_bytes == zoo.store.build(zoo.card.all_cards()["tiny"]).stat().st_size
    assert (full.parameters, full.macc) == (2 * 231 + 2, 2 * 231)
    assert 4 * full.parameters <= full.run_bytes <= 4 * full.parameters + 64  # and the sizes for a Reshape
    assert full.face_bytes >= 4 * 231 + 3 * 4 * 2  # the face; what the dense layer and Softmax write and read
    assert half.run_bytes < full.run_bytes
    (limit,) = run.limits
    assert (limit.device, limit.threads, limit.refused) == ("cpu", 1, {})
    assert limit.gflops > 0
    assert limit.gb_s > 0
    assert {kernel.backend for kernel in limit.kernels} == {"onnxruntime", "opencv", "_memory"}
    text = (out / "report.md").read_text()
    assert text.index("## Networks") < text.index("## Machine limits") < text.index("| of the limit")


def test_the_machine_is_measured_for_latencies_alone_and_once_a_run(tiny_zoo, tmp_path, monkeypatch):
    out, asked = tmp_path / "out", []
    monkeypatch.setattr(roofline, "measure", _spy(roofline.measure, asked))
    assert bench_run(tiny_zoo, tmp_path / "scores", "--only", "accuracy", "--zoo", "tiny") == 0
    assert asked == []
    assert read_run(tmp_path / "scores").limits == ()
    arguments = ("--only", "latency", "--zoo", "tiny", "--batch", "1,2")
    assert bench_run(tiny_zoo, out, *arguments) == 0
    kept = read_run(out).limits
    kept_lines(out, lambda line: line["case"]["batch"] == 1)
    assert bench_run(tiny_zoo, out, *arguments, "--resume") == 0
    assert asked == ["cpu"]
    assert read_run(out).limits == kept != ()


def test_ctrl_c_while_the_machine_is_measured_leaves_a_report(tiny_zoo, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(roofline, "measure", interrupted)
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "latency", "--zoo", "tiny") == 130
    assert {r.status for r in read_results(tmp_path / "out")} == {"skipped"}
    assert (tmp_path / "out" / "report.md").exists()


def test_backends_agree_on_the_scores_and_variants_do_not_share_them(tiny_zoo, tmp_path):
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "accuracy", "--zoo", "tiny*") == 0
    tables = {}
    for result in read_results(tmp_path / "out"):
        tables.setdefault(result.case.network, set()).add(result.scores[0].confusion.counts)
    assert {len(t) for t in tables.values()} == {1}
    assert tables["tiny"] != tables["tiny@rgb"]


def test_the_sample_is_the_default_data(tiny_zoo, tmp_path):
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "accuracy", "--zoo", "tiny", "--limit", "5", data=False) == 0
    results = read_results(tmp_path / "out")
    assert {(r.case.dataset, r.case.split, r.fingerprint.n) for r in results} == {("sample", "all", 5)}


def test_cuda_that_cannot_be_proved_is_exit_3_one_line_a_backend_and_no_row(tiny_zoo, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["run", "--out", str(out), "--device", "cuda"]) == 3
    lines = said(capsys)
    assert lines[0].startswith("error: not usable on this machine")
    told = [line.strip().partition(" on cuda: ")[0] for line in lines[1:]]
    assert told == [name for name in backends.names(listed=True) if "cuda" in backends.declared(name).devices]
    assert not out.exists()


def test_a_backend_named_outright_that_is_not_usable_is_exit_3(tiny_zoo, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FAULT", "refuse")
    assert bench_run(tiny_zoo, tmp_path / "out", "--backend", f"onnxruntime,{FAULTY}") == 3
    assert any("not today" in line for line in said(capsys))
    assert not (tmp_path / "out").exists()


def test_with_all_backends_one_that_is_not_usable_is_skipped_with_its_reason(tiny_zoo, tmp_path, monkeypatch):
    import bench.devices

    probe = bench.devices.probe
    monkeypatch.setattr(
        bench.devices,
        "probe",
        lambda b, d, f: probe(b, d, f) if b == "opencv" else bench.devices.Probe(b, d, f, None, "gone fishing"),
    )
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "latency", "--zoo", "tiny", "--backend", "all") == 0
    rows = {r.case.backend: (r.status, r.reason) for r in read_results(tmp_path / "out")}
    assert rows.pop("opencv") == ("ok", None)
    assert rows["onnxruntime"] == ("skipped", "gone fishing")
    assert {status for status, _ in rows.values()} == {"skipped"}
    assert "gone fishing" in (tmp_path / "out" / "report.md").read_text()


def test_a_precision_that_is_not_built_is_skipped_not_dropped(tiny_zoo, tmp_path):
    arguments = ("--only", "latency", "--zoo", "tiny", "--backend", "opencv", "--precision", "fp32,int8")
    assert bench_run(tiny_zoo, tmp_path / "out", *arguments) == 0
    rows = {r.case.precision: (r.status, r.reason) for r in read_results(tmp_path / "out")}
    said = "no int8 variant of tiny is built; python -m zoo build tiny --precision int8"
    assert rows == {"fp32": ("ok", None), "int8": ("skipped", said)}


def test_a_variant_that_is_built_is_measured_by_its_own_file_and_says_how_far_it_is(tiny_zoo, tmp_path):
    card = zoo.card.all_cards()["tiny"]
    assert zoo.variants.build(card, zoo.store.build(card), "fp16").name == "tiny.fp16.onnx"
    arguments = ("--zoo", "tiny", "--backend", "onnxruntime", "--precision", "fp32,fp16")
    assert bench_run(tiny_zoo, tmp_path / "out", *arguments) == 0
    found = {(r.case.kind, r.case.precision): r for r in read_results(tmp_path / "out")}
    assert {r.status for r in found.values()} == {"ok"}
    for kind in ("latency", "accuracy"):
        assert found[kind, "fp32"].parity.max_abs < 1e-6 < found[kind, "fp16"].parity.max_abs < 1e-2
    assert len({v for k, v in read_run(tmp_path / "out").models["tiny"].items() if k.startswith("onnx")}) == 2


def test_a_variant_of_8_bits_says_what_it_was_calibrated_on(tiny_zoo, tmp_path):
    assert zoo.__main__.main(["build", "tiny", "--precision", "int8"]) == 0
    arguments = ("--zoo", "tiny", "--backend", "onnxruntime", "--precision", "int8", "--only", "latency")
    assert bench_run(tiny_zoo, tmp_path / "out", *arguments) == 0
    (told,) = [note for note in read_run(tmp_path / "out").notes if "int8" in note]
    assert told.startswith("tiny in int8: calibrated on sample all, ")
    assert told in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize(("fault", "reason"), [("kill later", "out of memory"), ("segfault", "SIGSEGV"), ("exit", "7")])
def test_a_worker_that_dies_is_one_failed_row_and_the_run_goes_on(
    tiny_zoo, tmp_path, monkeypatch, fault, reason, capsys
):
    import bench.request

    monkeypatch.setenv("FAULT", fault)  # the real runtimes know nothing of it
    monkeypatch.setattr(bench.request, "choose", believed)
    arguments = ("--only", "latency", "--zoo", "tiny", "--backend", f"{dying(tmp_path)},onnxruntime")
    assert bench_run(tiny_zoo, tmp_path / "out", *arguments) == 1
    first, second = read_results(tmp_path / "out")
    assert (first.status, second.status) == ("failed", "ok")
    assert reason in first.reason
    assert reason in (tmp_path / "out" / "report.md").read_text()


def believed(chosen, *_, **__):
    here = {(backend, backends.ANY): Path(sys.executable) for backend in chosen}
    return Chosen(dict.fromkeys(chosen, "cpu"), pythons=here)


def dying(tmp_path: Path) -> Path:
    """Write a backend that answers rightly, through OpenCV, until it dies."""
    path = tmp_path / "dying.py"
    path.write_text(
        "import os, signal\n"
        "from dataclasses import replace\n"
        "from bench.backends import opencv\n"
        "DEVICES = ('cpu',)\n"
        "version = opencv.version\n"
        "def load(model, device, threads):\n"
        "    session, runs = opencv.load(model, device, threads), []\n"
        "    def run(feeds):\n"
        "        runs.append(1)\n"
        "        fault = os.environ['FAULT']\n"
        "        if len(runs) > 5:\n"
        "            number = signal.SIGSEGV if fault == 'segfault' else signal.SIGKILL\n"
        "            os._exit(7) if fault == 'exit' else os.kill(os.getpid(), number)\n"
        "        return session.run(feeds)\n"
        "    return replace(session, run=run)\n"
    )
    return path


def test_resume_keeps_what_is_ok_runs_the_rest_and_drops_a_half_written_line(tiny_zoo, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out) == 0
    path = out / RESULTS
    whole = path.read_bytes().splitlines(keepends=True)
    broken = json.loads(whole[2]) | {"status": "failed", "reason": "power cut"}
    path.write_bytes(b"".join([*whole[:2], json.dumps(broken).encode() + b"\n", *whole[3:-1], whole[-1][:99]]))
    measured = []
    monkeypatch.setattr(latency, "measure", _spy(latency.measure, measured))
    monkeypatch.setattr(accuracy, "measure", _spy(accuracy.measure, measured))
    assert bench_run(tiny_zoo, out, "--resume") == 0
    again = {r.case: r for r in read_results(out)}
    assert len(measured) == 2
    assert len(path.read_bytes().splitlines()) == len(whole) == len(again)
    assert {r.status for r in again.values()} == {"ok"}
    kept = [json.loads(line)["case"] for line in path.read_bytes().splitlines()[: len(whole) - 2]]
    assert json.loads(whole[2])["case"] not in kept


def _spy(function, calls):
    def spied(first, *more, **named):
        calls.extend(first if isinstance(first, list) else [first])
        return function(first, *more, **named)

    return spied


def test_a_folder_with_results_is_not_overwritten(tiny_zoo, tmp_path, capsys):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 0
    before = (out / RESULTS).read_bytes()
    capsys.readouterr()
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 2
    assert "holds results already: give --resume" in errors(capsys)[0]
    assert (out / RESULTS).read_bytes() == before


def test_resuming_another_run_is_refused_and_names_what_differs(tiny_zoo, tmp_path, capsys):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 0
    capsys.readouterr()
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny", "--batch", "2", "--resume") == 2
    (line,) = errors(capsys)
    assert "config.batches = (1,), this one (2,)" in line


def test_ctrl_c_leaves_a_report_of_what_is_done(tiny_zoo, tmp_path, monkeypatch):
    real = accuracy.measure
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(running.accuracy, "measure", interrupted)
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "accuracy", "--zoo", "tiny") == 130
    ok, stopped = read_results(tmp_path / "out")
    assert (ok.status, stopped.status) == ("ok", "skipped")
    assert "--resume goes on" in stopped.reason
    assert "--resume goes on" in (tmp_path / "out" / "report.md").read_text()


def test_a_full_disk_is_one_line_and_loses_nothing(tiny_zoo, tmp_path, monkeypatch, capsys):
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(1)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(descriptor)

    assert bench_run(tiny_zoo, tmp_path / "first", "--only", "latency", "--zoo", "tiny") == 0  # builds it
    monkeypatch.setattr(results.os, "fsync", full)
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny", "--batch", "1,2") == 2
    line = errors(capsys)[-1]
    assert "No space left on device; every earlier result is kept, the latest is in " in line
    assert [r.case.batch for r in read_results(out)] == [1, 1]
    rescued = Path(line.partition("the latest is in ")[2].partition(":")[0])
    (out / RESULTS).open("ab").write(rescued.read_bytes())
    rescued.unlink()
    assert [r.case.batch for r in read_results(out)] == [1, 1, 2, 2]


def test_wrong_bytes_of_one_network_fail_its_own_cases_only(tiny_zoo, tmp_path, capsys):
    (tiny_zoo.mirror / "tiny.caffemodel").write_bytes(b"something else")
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--backend", "onnxruntime") == 2
    rows = {(r.case.kind, r.case.network): (r.status, r.reason) for r in read_results(out)}
    assert rows["latency", "tiny"][0] == rows["accuracy", "tiny@rgb"][0] == "failed"
    assert "tiny.caffemodel" in rows["latency", "tiny"][1]
    assert rows["latency", "twin"] == rows["accuracy", "twin"] == ("ok", None)
    assert any(line.startswith("error: tiny: ") for line in errors(capsys))


def test_a_network_out_of_reach_is_skipped_and_the_others_run(tiny_zoo, tmp_path):
    (tiny_zoo.mirror / "tiny.caffemodel").unlink()
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--backend", "onnxruntime") == 0
    rows = {r.case.network: r.status for r in read_results(out)}
    assert rows == {"tiny": "skipped", "twin": "ok"}


def test_nothing_that_can_be_run_is_exit_2(tiny_zoo, tmp_path):
    for file in tiny_zoo.mirror.glob("*.caffemodel"):
        file.unlink()
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "latency", "--backend", "onnxruntime") == 2


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--zoo", "nothing-*"), "no network matches 'nothing-*'; there are: tiny, tiny@rgb, twin"),
        (("--backend", "caffe"), "no backend 'caffe'; there are: null, onnxruntime, opencv, opencv4"),
        (("--backend", "none.py"), "no backend file none.py"),
        (("--precision", "fp8"), "--precision 'fp8': there are fp32, winograd, fp16, int8"),
        (("--batch", "1,zero"), "--batch 'zero': give whole numbers from 1"),
        (("--batch", "0"), "--batch '0': give whole numbers from 1"),
        (("--threads", "-1"), "--threads '-1': give whole numbers from 1"),
        (("--threads", "4096"), "--threads 4096: this process may use"),
        (("--threads", "1,x"), "--threads 'x': give whole numbers from 1"),
        (("--budget", "0"), "--budget 0: give seconds from 0.01"),
        (("--option", "speed=11"), "--option 'speed=11': of the backends of this run there are"),
        (
            ("--engine", "ray", "--only", "accuracy", "--faces", "detect"),
            "--engine ray: a detector is not shared out",
        ),
        (("--timeout", "0"), "--timeout 0: give seconds above 0"),
        (("--timeout", "nan"), "--timeout nan: give seconds above 0"),
        (("--timeout", "1e30"), "--timeout 1e+30: give seconds above 0"),
        (("--data", "imagenet"), "no dataset 'imagenet'; there are"),
        (("--data", "utkface=/no/such/folder"), "/no/such/folder"),
        (("--data", "utkface"), "give utkface=PATH"),
        (("--data", "sample", "--data", "sample"), "asked for twice"),
        (("--mirror", "/no/such/mirror"), "/no/such/mirror"),
        (("--device", "tpu"), "invalid choice: 'tpu'"),
    ],
)
def test_bad_input_is_one_line_and_exit_2_before_anything_runs(tiny_zoo, tmp_path, capsys, arguments, wanted):
    out = tmp_path / "out"
    try:
        code = main(["run", "--out", str(out), *arguments])
    except SystemExit as stop:
        code = stop.code
    lines = said(capsys)
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert wanted in lines[0]
    assert not out.exists()


def test_a_folder_without_images_is_one_line(tiny_zoo, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["run", "--out", str(tmp_path / "out"), "--data", f"utkface={tmp_path / 'empty'}"]) == 2
    (line,) = said(capsys)
    assert str(tmp_path / "empty") in line
    assert "jpg" in line


def test_an_out_that_is_a_file_is_one_line(tiny_zoo, tmp_path, capsys):
    (tmp_path / "out").write_text("")
    assert bench_run(tiny_zoo, tmp_path / "out") == 2
    assert len(errors(capsys)) == 1


def test_report_makes_every_format_anew(tiny_zoo, tmp_path, capsys):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--zoo", "tiny") == 0
    first = (out / "report.md").read_text()
    (out / "report.md").unlink()
    assert main(["report", str(out), "--format", "md,csv,json"]) == 0
    assert (out / "report.md").read_text() == first
    rows = json.loads((out / "report.json").read_text())
    assert [r["network"] for r in rows] == ["tiny"] * 4
    assert (out / "report.csv").read_text().count("\n") == 5


@pytest.mark.parametrize(
    ("arguments", "wanted"), [(("nowhere",), "holds no run.json"), (("nowhere", "--format", "pdf"), "pdf")]
)
def test_report_of_nothing_is_one_line(tmp_path, monkeypatch, capsys, arguments, wanted):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *arguments]) == 2
    (line,) = said(capsys)
    assert wanted in line


def test_data_list_and_verify(tiny_zoo, capsys):
    assert main(["data", "list", "--json"]) == 0
    assert {d["name"] for d in json.loads(capsys.readouterr().out)} >= {"sample", "utkface", "csv"}
    assert main(["data", "verify", f"csv={tiny_zoo.faces}"]) == 0
    text = capsys.readouterr().out
    assert "csv:all: 11 images" in text
    assert "gender: 4 female, 7 male" in text
    (tiny_zoo.faces.parent / "3.png").write_text("no image")
    assert main(["data", "verify", f"csv={tiny_zoo.faces}"]) == 2
    assert "3.png: not an image" in capsys.readouterr().err


def test_doctor_says_what_is_usable(capsys):
    assert main(["doctor", "--json"]) == 0
    found = {(p["backend"], p["device"]): p for p in json.loads(capsys.readouterr().out)}
    assert found["onnxruntime", "cpu"]["usable"]
    assert found["opencv", "cpu"]["usable"]
    assert not found["opencv", "cuda"]["usable"]
    assert "CUDA" in found["opencv", "cuda"]["reason"]


def test_help_imports_nothing_heavy():
    code = (
        "import sys, bench.cli\n"
        "try: bench.cli.main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'onnx', 'onnxruntime', 'pandas', 'pydantic', 'matplotlib', 'scipy', 'rich'}\n"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def kept_lines(out, keep):
    path = out / RESULTS
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if keep(json.loads(line))))


def test_resume_measures_latencies_that_belong_together_together(tiny_zoo, tmp_path, monkeypatch):
    out = tmp_path / "out"
    arguments = ("--only", "latency", "--zoo", "tiny", "--batch", "1,2")
    assert bench_run(tiny_zoo, out, *arguments) == 0
    kept_lines(out, lambda line: (line["case"]["backend"], line["case"]["batch"]) != ("opencv", 2))
    groups = []
    measure = latency.measure
    monkeypatch.setattr(latency, "measure", lambda cases, *more: groups.append(cases) or measure(cases, *more))
    assert bench_run(tiny_zoo, out, *arguments, "--resume") == 0
    assert [[(c.backend, c.batch) for c in cases] for cases in groups] == [[("onnxruntime", 2), ("opencv", 2)]]
    assert len(read_results(out)) == 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda run: run["host"].update(fingerprint="another"), "host = another"),
        (lambda run: run["versions"].update(numpy="0.1"), "versions"),
        (lambda run: run.update(git_commit="another"), "git_commit = another"),
        (lambda run: run["models"]["tiny"].update(onnx="0" * 64), "models.tiny"),
    ],
)
def test_resume_refuses_another_machine_code_or_model(tiny_zoo, tmp_path, capsys, change, named):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 0
    before = (out / RESULTS).read_bytes()
    run = json.loads((out / "run.json").read_text())
    change(run)
    (out / "run.json").write_text(json.dumps(run))
    capsys.readouterr()
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny", "--resume") == 2
    assert named in errors(capsys)[-1]
    assert (out / RESULTS).read_bytes() == before


def test_resume_scores_anew_when_the_labels_have_changed(tiny_zoo, tmp_path):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "accuracy", "--zoo", "tiny") == 0
    first = read_results(out)[0].fingerprint
    tiny_zoo.faces.write_text(tiny_zoo.faces.read_text().replace("male", "female", 1).replace("fefemale", "female"))
    assert bench_run(tiny_zoo, out, "--only", "accuracy", "--zoo", "tiny", "--resume") == 0
    tiny_zoo.faces.write_text("path,age,gender\n0.png,3,male\n")
    assert bench_run(tiny_zoo, out, "--only", "accuracy", "--zoo", "tiny", "--resume") == 0
    results = read_results(out)
    assert {r.fingerprint.n for r in results} == {1}
    assert first not in {r.fingerprint for r in results}


def test_ctrl_c_while_results_are_written_loses_none_that_is_measured(tiny_zoo, tmp_path, monkeypatch):
    real, calls = os.fsync, []

    def interrupted(descriptor):
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(descriptor)

    out = tmp_path / "out"
    assert bench_run(tiny_zoo, tmp_path / "first", "--only", "latency", "--zoo", "tiny") == 0  # builds it
    monkeypatch.setattr(results.os, "fsync", interrupted)
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny", "--batch", "1,2") == 130
    rows = {(r.case.backend, r.case.batch): r.status for r in read_results(out)}
    assert rows == {
        ("onnxruntime", 1): "ok",
        ("opencv", 1): "ok",
        ("onnxruntime", 2): "skipped",
        ("opencv", 2): "skipped",
    }


def test_sigterm_is_what_ctrl_c_is(tiny_zoo, tmp_path, monkeypatch):
    def terminated(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(running.accuracy, "measure", terminated)
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "accuracy", "--zoo", "tiny") == 130
    assert {r.status for r in read_results(tmp_path / "out")} == {"skipped"}
    assert (tmp_path / "out" / "report.md").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_batch_size_named_twice_is_measured_once(tiny_zoo, tmp_path):
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "latency", "--zoo", "tiny", "--batch", "2,1,2") == 0
    lines = (tmp_path / "out" / RESULTS).read_text().splitlines()
    assert [json.loads(line)["case"]["batch"] for line in lines] == [1, 1, 2, 2]


def test_a_backend_of_the_users_own_stands_by_its_name_and_content_not_by_its_path(tiny_zoo, tmp_path, monkeypatch):
    monkeypatch.setenv("FAULT", "none")
    own = tmp_path / "a folder" / "mine.py"
    own.parent.mkdir()
    own.write_text(dying(tmp_path).read_text().replace("len(runs) > 5", "False"))
    arguments = ("--only", "latency", "--zoo", "tiny", "--backend", str(own))
    assert bench_run(tiny_zoo, tmp_path / "out", *arguments) == 0
    (result,) = read_results(tmp_path / "out")
    assert re.fullmatch(r"mine@[0-9a-f]{8}", result.case.backend)
    assert all(str(tmp_path) not in p.read_text() for p in (tmp_path / "out").iterdir() if p.suffix != ".png")


def test_nothing_but_skipped_cases_is_exit_2(tiny_zoo, tmp_path, capsys):
    assert bench_run(tiny_zoo, tmp_path / "out", "--only", "latency", "--precision", "int8") == 2
    assert "nothing was measured" in errors(capsys)[-1]


def test_two_runs_in_one_folder_are_refused_and_the_first_goes_on(tiny_zoo, tmp_path, monkeypatch, capsys):
    out, codes, measure = tmp_path / "out", [], latency.measure

    def measuring(*arguments):
        if not codes:
            codes.append(bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny", "--resume"))
        return measure(*arguments)

    monkeypatch.setattr(latency, "measure", measuring)
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 0
    assert codes == [2]
    assert f"error: {out}: another process is measuring into this folder; wait for it, or end it" in said(capsys)
    assert {r.status for r in read_results(out)} == {"ok"}
    assert not (out / ".lock").exists()


def test_a_folder_whose_run_was_killed_is_free_again(tiny_zoo, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / ".lock").write_text("")  # what a killed run leaves: the kernel has let go of it
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 0
