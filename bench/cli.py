"""The command line. What is heavy is imported by the command that needs it: ``--help`` stays under 0.3 s."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from converters.errors import DONE, BadInput, Parser, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 a check failed, 2 bad input, 3 not usable here."""
    return run_command(_main, argv)


def _main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    code: int = arguments.command(arguments)
    return code


def _parser() -> Parser:
    parser = Parser(prog="python -m bench", description="Measure face age and gender networks, with the proof.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    run = commands.add_parser("run", help="measure latency and accuracy, and write a report")
    run.set_defaults(command=_run)
    run.add_argument("--zoo", default="all", metavar="all|GLOB,..", help="networks (default: all)")
    run.add_argument("--backend", default="all", metavar="all|NAME,..", help="backends, or FILE.py of your own")
    run.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    run.add_argument("--precision", default="fp32", metavar="fp32,winograd,fp16,int8", help="default: fp32")
    run.add_argument("--data", action="append", metavar="NAME[=PATH][:SPLIT]", help="faces (default: sample)")
    run.add_argument("--batch", default="1", metavar="1,8,32", help="batch sizes for latency (default: 1)")
    run.add_argument("--threads", metavar="N[,N..]", help="threads of each runtime (default: all usable CPUs)")
    run.add_argument(
        "--budget", type=float, default=0.5, metavar="S", help="seconds of timed runs a case (default: 0.5)"
    )
    run.add_argument(
        "--option", action="append", metavar="NAME=VALUE", help="an option of the backends; doctor lists them"
    )
    run.add_argument(
        "--scenario",
        default="single",
        metavar="single,batch,offline,server",
        help="how requests come (default: single)",
    )
    run.add_argument("--max-batch", default=64, metavar="N", help="the largest batch of --scenario batch (default: 64)")
    run.add_argument(
        "--limit-ms",
        type=float,
        metavar="MS",
        help="what --scenario server has to meet (default: 10 times the median of the fastest backend)",
    )
    run.add_argument(
        "--faces",
        default="whole",
        metavar="whole|detect[:NAME]",
        help="whether images are faces (default) or photos to find them in, by yunet-face or res10-ssd-face",
    )
    run.add_argument("--limit", type=int, metavar="N", help="score on N images of each split only")
    run.add_argument("--only", choices=("latency", "accuracy"), help="measure just this")
    run.add_argument(
        "--engine",
        default="local",
        metavar="local|ray|ray://ADDRESS",
        help="where images are scored, with --only accuracy: here, or shared out by Ray (default: local)",
    )
    run.add_argument("--no-cache", action="store_true", help="score every image anew, whatever an earlier run found")
    run.add_argument("--out", type=Path, metavar="DIR", help="default: runs/<date and time>")
    run.add_argument("--resume", action="store_true", help="go on with the run in --out: what is ok there is kept")
    run.add_argument("--mirror", type=Path, metavar="DIR", help="look here for weights first (or $ZOO_MIRROR)")
    run.add_argument(
        "--timeout", type=float, default=300, metavar="S", help="give up on a worker after S silent seconds"
    )

    report = commands.add_parser("report", help="write the report of a run anew")
    report.set_defaults(command=_report)
    report.add_argument("dir", type=Path, metavar="DIR", help="the --out folder of a run")
    report.add_argument("--format", default="md", metavar="md,csv,json", help="which of md, csv, json (default: md)")

    check = commands.add_parser("check", help="let the ruler measure itself: false alarms, what it finds, what it adds")
    check.set_defaults(command=_check)
    check.add_argument("--self-test", action="store_true", help="needed: there is nothing else to check yet")
    check.add_argument("--short", action="store_true", help="under a minute instead of about five")
    check.add_argument("--json", action="store_true", help="as JSON")

    doctor = commands.add_parser("doctor", help="say which backend can use which device here, and why not")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("--json", action="store_true", help="as JSON")

    env = commands.add_parser("env", help="the environments of backends that cannot share the harness's")
    doing = env.add_subparsers(required=True, metavar="create|list|remove", parser_class=Parser)
    create = doing.add_parser("create", help="make what a backend needs, unless it is there already")
    create.set_defaults(command=_env_create)
    create.add_argument("names", nargs="+", metavar="NAME", help="a backend, an environment of list, or all")
    made = doing.add_parser("list", help="every environment that there is or could be, its state and size")
    made.set_defaults(command=_env_list)
    made.add_argument("--json", action="store_true", help="as JSON")
    remove = doing.add_parser("remove", help="delete one")
    remove.set_defaults(command=_env_remove)
    remove.add_argument("name", metavar="NAME")
    whatif = commands.add_parser("whatif", help="what a network's scores become under the usual mistakes in feeding it")
    whatif.set_defaults(command=_whatif)
    whatif.add_argument("name", metavar="NAME", help="a network")
    whatif.add_argument("--data", default="sample", metavar="NAME[=PATH][:SPLIT]", help="faces (default: sample)")
    whatif.add_argument("--limit", type=int, metavar="N", help="score on N of its images only")
    whatif.add_argument("--backend", default="onnxruntime", metavar="NAME", help="default: onnxruntime")
    whatif.add_argument("--mirror", type=Path, metavar="DIR", help="look here for weights first (or $ZOO_MIRROR)")
    whatif.add_argument("--json", action="store_true", help="as JSON, with every metric")

    data = commands.add_parser("data", help="list the data sets, or look into one")
    actions = data.add_subparsers(required=True, metavar="list|verify", parser_class=Parser)
    listing = actions.add_parser("list", help="every data set: what it is, its splits and terms")
    listing.set_defaults(command=_data_list)
    listing.add_argument("--json", action="store_true", help="as JSON")
    verify = actions.add_parser("verify", help="count a data set's images and labels, and read every image")
    verify.set_defaults(command=_data_verify)
    verify.add_argument("data", metavar="NAME[=PATH][:SPLIT]")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    out = arguments.out or Path("runs") / datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    from bench.report import write
    from bench.request import resolve
    from bench.run import run
    from bench.stopping import uninterrupted

    code = run(resolve(arguments, out))
    with uninterrupted():
        (path,) = write(out, ["md"])
    print(f"report: {path}")
    return code


def _report(arguments: argparse.Namespace) -> int:
    from bench.report import write

    for path in write(arguments.dir, arguments.format.split(",")):
        print(path)
    return DONE


def _check(arguments: argparse.Namespace) -> int:
    if not arguments.self_test:
        raise BadInput("check: say what to check; so far that is the ruler itself: --self-test")
    from bench.selftest import self_test

    return self_test(short=arguments.short, as_json=arguments.json)


def _doctor(arguments: argparse.Namespace) -> int:
    from bench.doctor import examine

    print(examine(as_json=arguments.json))
    return DONE


def _env_create(arguments: argparse.Namespace) -> int:
    from bench.env_command import create

    create(arguments.names)
    return DONE


def _env_list(arguments: argparse.Namespace) -> int:
    from bench.env_command import listing

    print(listing(as_json=arguments.json))
    return DONE


def _env_remove(arguments: argparse.Namespace) -> int:
    from bench.env_command import remove

    remove(arguments.name)
    return DONE


def _whatif(arguments: argparse.Namespace) -> int:
    from bench.whatif import command

    return command(arguments)


def _data_list(arguments: argparse.Namespace) -> int:
    from bench.data import listing

    print(listing(as_json=arguments.json))
    return DONE


def _data_verify(arguments: argparse.Namespace) -> int:
    from bench.data import verify

    print(verify(arguments.data))
    return DONE
