"""One comparison of an ONNX file with its Caffe network, on one set of inputs, layer by layer.

As long as a runtime has all blobs right that a layer reads, what it makes of them in the whole graph counts; behind a
difference the layer runs alone, on the reference's own bottoms. So an error is seen where it is made, nothing behind it
is hidden, and what rounding adds up to over many layers is no alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from converters.caffe.bisection.graph import Graph
from converters.caffe.bisection.matching import align, versions
from converters.caffe.bisection.mistakes import explain
from converters.caffe.bisection.report import Finding, Report
from converters.caffe.bisection.segments import Segment, segment
from converters.caffe.bisection.vote import CONVERTER, UNDECIDED, Result, close, distance, vote
from converters.caffe.kind import Array
from converters.caffe.net import Net
from converters.caffe.reference import run as run_reference
from converters.runtimes import NODE_BY_NODE, RUNTIMES, attempt, run_evaluator
from converters.verify import Difference

OPTIMISED_APART = 10.0
"""How much further from the reference a runtime's own optimisation may bring an output: it rounds in another order."""
NO_MORE = 1e-5
"""What rounding adds up to on the way to an output is worth a note beyond this, as an absolute difference."""
ROUNDED = 2.0**-21
"""How much a number may be off, relatively, that was rounded a few times (float32 rounds by at most 2**-24)."""


class Trial:
    """One set of inputs (by blob); ``names`` are the tensors of the blobs, and may be corrected on the way."""

    def __init__(
        self, net: Net, graph: Graph, path: Path, names: dict[str, str], feeds: Mapping[str, Array], report: Report
    ) -> None:
        self.net, self.graph, self.path, self.names, self.report = net, graph, path, names, report
        self.blobs = run_reference(net, feeds)
        self.feeds = {names[name]: feed for name, feed in feeds.items()}
        self.skipped = False
        on_the_way = {top for op in net.layers for top in op.tops}.difference(net.outputs)
        if on_the_way and not on_the_way & names.keys():
            self._align()
        self.whole = {runtime: self._whole(runtime) for runtime in report.runtimes}

    def run(self) -> None:
        """Judge every part, and then the outputs of the file as it is. Blobs matched by order end at a difference."""
        for blob in [top for op in self.net.layers for top in op.tops]:
            if blob in self.names and (self.report.named or not self.report.findings):
                self._judge(blob)
        if not self.report.findings:
            self._judge_file()

    def _align(self) -> None:
        """Match blobs by numbers, shape and order."""
        tensors = [name for name in self.graph.makers if self.graph.types.get(name) == 1 and name in self.graph.ranks]
        model, found = self.graph.exposed(dict.fromkeys(tensors, 0)), {}
        for runtime in self.report.runtimes:
            ran = attempt(NODE_BY_NODE[runtime], model, self.feeds)
            if not isinstance(ran, str):
                values = {name: ran[name] for name in tensors}
                found = align(self.blobs, values, self.names, [top for op in self.net.layers for top in op.tops])
                break
        self.names.update(found)
        self.report.named = False
        how = f"{len(found)} are matched by shape and order" if found else "only the outputs can be compared"
        self.report.note(f"no tensor on the way has the name of a Caffe blob: {how}")

    def _whole(self, runtime: str) -> dict[str, Array] | None:
        """Run the whole graph with every blob as an output; None where that fails."""
        ranks = {tensor: self.blobs[blob].ndim for blob, tensor in self.names.items()}
        found = attempt(NODE_BY_NODE[runtime], self.graph.exposed(ranks), self.feeds)
        if isinstance(found, str):
            return None
        constants = {name: self.graph.constant(name) for name in self.names.values() if name in self.graph.constants}
        tensors = {**self.feeds, **found, **constants}
        return {blob: tensors[tensor] for blob, tensor in self.names.items()}

    def _called(self, runtime: str) -> str:
        return f"{runtime} {self.report.runtimes[runtime]}"

    def _judge(self, blob: str) -> None:
        """Judge the part behind a blob; numbers that are not finite say nothing."""
        part = segment(self.net, self.graph, self.names, blob)
        fed = {name: self.blobs[name].astype(np.float32) for name in {*part.bottoms, *part.sources}}
        if not all(np.isfinite(numbers).all() for numbers in (*fed.values(), self.blobs[blob].astype(np.float32))):
            self.skipped = True
            return
        self.report.compared.add(blob)
        states = {runtime: self._in_the_whole(runtime, part) for runtime in self.report.runtimes}
        if all(states.values()):
            return
        expected, alone = part.run(fed), {runtime: self._alone(runtime, part, fed) for runtime in states}
        if self._is_another_version(blob, list(alone.values())):
            return
        slack, values = _rounding(part, fed, expected), dict[str, Result]()
        only_whole = []
        for runtime, right in states.items():
            value, whole = alone[runtime], (self.whole[runtime] or {}).get(blob)
            fine = not isinstance(value, str) and close(expected, value, slack)
            if right:
                value = expected
            elif right is False and fine and whole is not None:
                value = whole
                only_whole.append(self._called(runtime))
            values[self._called(runtime)] = value
            if isinstance(value, str):
                self.report.note(f"{self._called(runtime)} does not run {part.title()}: {value}")
        verdict = vote(expected, values, lambda: self._evaluate(part, fed), slack)
        if verdict is not None:
            blame, why = verdict
            blamed = [name for name in only_whole if name in blame]
            why += f"; {' and '.join(blamed)} only as a part of the whole graph" if blamed else ""
            self._found(part, fed, expected, values, blame, why)

    def _in_the_whole(self, runtime: str, part: Segment) -> bool | None:
        """Whether a runtime has a blob right in the whole graph; None where what it reads there is wrong already."""
        whole = self.whole[runtime]
        if whole is None or not all(close(self.blobs[b], whole[b]) for b in {*part.bottoms, *part.sources}):
            return None
        found = whole[part.blob]
        if close(self.blobs[part.blob], found):
            return True
        expected = part.run(whole)
        return close(expected, found, _rounding(part, whole, expected))

    def _alone(self, runtime: str, part: Segment, fed: Mapping[str, Array]) -> Result:
        """Run the nodes of a part by themselves."""
        tensor = self.names[part.blob]
        if tensor in self.graph.constants:
            return self.graph.constant(tensor)
        feeds = {self.names[name]: fed[name] for name in part.sources}
        model = self.graph.alone(part.nodes, feeds, tensor, self.blobs[part.blob].ndim)
        found = attempt(NODE_BY_NODE[runtime], model, feeds)
        return found if isinstance(found, str) else found[tensor]

    def _evaluate(self, part: Segment, fed: Mapping[str, Array]) -> Result:
        """Ask ONNX's evaluator about a part."""
        if any(node.op_type == "LRN" for node in part.nodes):
            return "it is not to be trusted with LRN"
        feeds, tensor = {self.names[name]: fed[name] for name in part.sources}, self.names[part.blob]
        found = attempt(run_evaluator, self.graph.alone(part.nodes, feeds, tensor, self.blobs[part.blob].ndim), feeds)
        return found if isinstance(found, str) else found[tensor]

    def _is_another_version(self, blob: str, values: list[Result]) -> bool:
        """Whether a file means another value by a blob's name than Caffe leaves there; the names are corrected then."""
        for version in versions(self.net, blob) if blob not in self.net.outputs else []:
            names = {version if name == blob else name: tensor for name, tensor in self.names.items()}
            part = segment(self.net, self.graph, names, version)
            expected = part.run({name: self.blobs[name].astype(np.float32) for name in part.bottoms})
            if version not in self.names and all(not isinstance(v, str) and close(expected, v) for v in values):
                self.names[version] = self.names.pop(blob)
                self.report.compared ^= {blob, version}
                for whole in filter(None, self.whole.values()):
                    whole[version] = whole.pop(blob)
                return True
        return False

    def _found(
        self,
        part: Segment,
        fed: Mapping[str, Array],
        expected: Array,
        values: Mapping[str, Result],
        blame: tuple[str, ...],
        why: str,
    ) -> None:
        """Report a part, unless what was reported before may be the reason here too."""
        layers = tuple(op.name for op in part.shown())
        if any(set(layers) & set(finding.layers) for finding in self.report.findings):
            return
        wrong = [value for value in values.values() if not isinstance(value, str) and not close(expected, value)]
        layer, hint = explain(part, fed, expected, wrong[0]) if wrong else ("", "")
        found = {name: v if isinstance(v, str) else distance(expected, v) for name, v in values.items()}
        op = next((op for op in part.layers if op.name == layer), part.main())
        finding = Finding(
            part.title(), op.name if op else "", layers, part.blob, op.where if op else "", found, blame, why, hint
        )
        self.report.findings.append(finding)

    def _judge_file(self) -> None:
        """Compare the outputs of the file as it is, with all that a runtime does to a graph to make it fast."""
        ran = {runtime: attempt(RUNTIMES[runtime], self.path, self.feeds) for runtime in self.report.runtimes}
        for runtime, found in ran.items():
            if isinstance(found, str):
                self.report.note(f"{self._called(runtime)} does not run the file: {found}")
                continue
            for blob in self.net.outputs:
                self._judge_output(runtime, blob, found[self.names[blob]])
        if all(isinstance(found, str) for found in ran.values()):
            reasons: dict[str, Difference | str] = {self._called(r): str(found) for r, found in ran.items()}
            why = "no runtime runs the file, though each part of it alone is right"
            outputs = ", ".join(self.net.outputs)
            self.report.findings.append(
                Finding("the whole network", "", (), outputs, "", reasons, (CONVERTER,), why, "")
            )

    def _judge_output(self, runtime: str, blob: str, value: Array) -> None:
        """Judge an output of the file as it is, where no layer by itself is wrong."""
        expected, whole = self.blobs[blob], self.whole[runtime]
        if not np.isfinite(expected.astype(np.float32)).all() or close(expected, value):
            return
        far, called = distance(expected, value), self._called(runtime)
        blame, why = called, "part by part it gives what Caffe gives; its own optimisation of the graph does not"
        if whole is not None and far.max_abs <= OPTIMISED_APART * distance(expected, whole[blob]).max_abs:
            if not self.skipped:
                if far.max_abs > NO_MORE:
                    self.report.note(f"output {blob!r}: max_abs {far.max_abs:.2g} by rounding alone, no layer is wrong")
                return
            blame, why = UNDECIDED, "numbers on the way are not finite, so that not every layer can be judged"
        self.report.findings.append(Finding("the whole network", "", (), blob, "", {called: far}, (blame,), why, ""))


def _rounding(part: Segment, fed: Mapping[str, Array], expected: Array) -> float:
    """Return how far a blob may move by rounding: much where large numbers cancel each other out."""
    generator, moved = np.random.default_rng(1), {}
    for name in part.bottoms:
        moved[name] = fed[name] * (1 + ROUNDED * generator.choice([-1.0, 1.0], fed[name].shape))
    return float(np.abs(part.run(moved) - expected).max(initial=0.0))
