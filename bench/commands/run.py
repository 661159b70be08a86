"""Measure networks, and write a report."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path

HELP = "measure latency and accuracy, and write a report"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("--zoo", default="all", metavar="all|GLOB,..", help="networks (default: all)")
    parser.add_argument("--backend", default="all", metavar="all|NAME,..", help="backends, or FILE.py of your own")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    parser.add_argument("--precision", default="fp32", metavar="fp32,winograd,fp16,int8", help="default: fp32")
    parser.add_argument("--data", action="append", metavar="NAME[=PATH][:SPLIT]", help="faces (default: sample)")
    parser.add_argument("--batch", default="1", metavar="1,8,32", help="batch sizes for latency (default: 1)")
    parser.add_argument("--threads", metavar="N[,N..]", help="threads of each runtime (default: all usable CPUs)")
    parser.add_argument(
        "--budget", type=float, default=0.5, metavar="S", help="seconds of timed runs a case (default: 0.5)"
    )
    parser.add_argument(
        "--option", action="append", metavar="NAME=VALUE", help="an option of the backends; doctor lists them"
    )
    parser.add_argument(
        "--scenario",
        default="single",
        metavar="single,batch,offline,server",
        help="how requests come (default: single)",
    )
    parser.add_argument(
        "--max-batch", default=64, metavar="N", help="the largest batch of --scenario batch (default: 64)"
    )
    parser.add_argument(
        "--limit-ms",
        type=float,
        metavar="MS",
        help="what --scenario server has to meet (default: 10 times the median of the fastest backend)",
    )
    parser.add_argument(
        "--faces",
        default="whole",
        metavar="whole|detect[:NAME]",
        help="whether images are faces (default) or photos to find them in, by yunet-face or res10-ssd-face",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="score on N images of each split only")
    parser.add_argument("--only", choices=("latency", "accuracy"), help="measure just this")
    parser.add_argument(
        "--engine",
        default="local",
        metavar="local|ray|ray://ADDRESS",
        help="where images are scored, with --only accuracy: here, or shared out by Ray (default: local)",
    )
    parser.add_argument("--no-cache", action="store_true", help="score every image anew, whatever an earlier run found")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: runs/<date and time>")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out: what is ok there is kept")
    parser.add_argument("--history", type=Path, metavar="FILE", help="keep the run in this file too: bench history")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here for weights first (or $ZOO_MIRROR)")
    parser.add_argument(
        "--timeout", type=float, default=300, metavar="S", help="give up on a worker after S silent seconds"
    )


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    out = arguments.out or Path("runs") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    from bench.history import file as history
    from bench.report import write
    from bench.request import resolve
    from bench.run import run
    from bench.stopping import uninterrupted

    if arguments.history is not None:
        history.check(arguments.history)
    code = run(resolve(arguments, out))
    with uninterrupted():
        paths = write(out, ["md", "html"])
        if arguments.history is not None:
            print(f"history: {arguments.history}: {history.add(arguments.history, out)}")
    print(f"report: {', '.join(map(str, paths))}")
    return code
