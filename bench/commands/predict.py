"""Find the faces in pictures, and say what networks tell of each: lines, annotated pictures, and a contact sheet."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

HELP = "age and gender of the faces in your own pictures"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("source", metavar="IMAGE|FOLDER|CAMERA", help="a picture, a folder, a video, or camera:0")
    parser.add_argument("--zoo", metavar="all|GLOB,..", help="networks (default: dlib-age, dlib-gender)")
    parser.add_argument("--backend", default="onnxruntime", metavar="NAME", help="default: onnxruntime")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    parser.add_argument(
        "--faces",
        default="detect",
        metavar="detect[:NAME]|whole",
        help="find faces by yunet-face (default) or res10-ssd-face, or take every picture for one",
    )
    parser.add_argument(
        "--limit-ms",
        type=float,
        metavar="MS",
        help="take the most accurate networks that need at most MS here for a face",
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="for --limit-ms: by the numbers of this run, made here")
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N frames of a video or camera")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: runs/predict-<date and time>")
    parser.add_argument("--resume", action="store_true", help="go on in --out: pictures that are done there are kept")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here for weights first (or $ZOO_MIRROR)")
    parser.add_argument("--json", action="store_true", help="the summary as JSON")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench.predict import command as predict

    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return predict.command(arguments, arguments.out or Path("runs") / f"predict-{stamp}")
