"""JUnit XML, which CI servers read: a suite a dimension, a test a case.

What fails the check is a failure; what is undecided is a skipped test with its reason, since JUnit knows no warning.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from bench.check.findings import UNDECIDED, Finding, Judged
from converters.errors import one_line


def render(judged: Judged, *, everything: bool) -> str:
    """Return the XML; every finding is in it whatever ``everything`` says, since a server counts tests."""
    root = ET.Element("testsuites", _counts(judged, judged.findings), name=one_line(judged.title))
    for dimension in dict.fromkeys(finding.dimension for finding in judged.findings):
        members = [finding for finding in judged.findings if finding.dimension == dimension]
        suite = ET.SubElement(root, "testsuite", {"name": dimension, **_counts(judged, members, skipped=True)})
        for finding in members:
            _test(suite, judged, finding)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _test(suite: ET.Element, judged: Judged, finding: Finding) -> None:
    test = ET.SubElement(
        suite, "testcase", name=one_line(finding.case), classname=f"agebench.{finding.dimension}", time="0"
    )
    said = one_line(f"{finding.verdict}: {finding.baseline} -> {finding.candidate}: {finding.why}")
    if judged.fails(finding):
        ET.SubElement(test, "failure", message=said, type=finding.verdict).text = said
    elif finding.verdict in UNDECIDED:
        ET.SubElement(test, "skipped", message=said)
    else:
        ET.SubElement(test, "system-out").text = said


def _counts(judged: Judged, findings: tuple[Finding, ...] | list[Finding], *, skipped: bool = False) -> dict[str, str]:
    failed = sum(judged.fails(finding) for finding in findings)
    counts = {"tests": len(findings), "failures": failed, "errors": 0}
    if skipped:
        counts["skipped"] = sum(f.verdict in UNDECIDED and not judged.fails(f) for f in findings)
    return {**{key: str(count) for key, count in counts.items()}, "time": "0"}
