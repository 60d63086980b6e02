"""The command `n2r`: look at data, evaluate, explain and export a run, score predictions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from n2r_jax.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a mistake the user can mend is one line and exit code 2."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="n2r", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = commands.add_parser("data", help="look at data files").add_subparsers(
        required=True, metavar="ACTION"
    )
    check = data.add_parser("check", help="counts, lengths, gold, duplicates, leaks, bad rows")
    check.add_argument("files", nargs="+", metavar="FILE", help="JSONL, CSV, TSV, Parquet, ERASER")
    check.add_argument(
        "--allow-shared", action="store_true", help="texts shared between files are no error"
    )
    check.add_argument(
        "--second",
        choices=("query", "hypothesis", "choices"),
        default="",
        help="what the rows of ERASER directories have besides their documents",
    )
    check.set_defaults(command=_check)
    _add_evaluate(commands)
    _add_explain(commands)
    _add_serve(commands)
    _add_export(commands)
    _add_score(commands)
    _add_report(commands)
    _add_compare(commands)
    _add_probe(commands)
    sweep = commands.add_parser("sweep", help="several runs in one table, the best on dev first")
    sweep.add_argument("directory", metavar="DIR", help="the --workdir of several runs")
    sweep.add_argument("--out", help="where sweep.json goes; default: into DIR")
    sweep.set_defaults(command=_sweep)
    return parser


def _add_evaluate(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser("evaluate", help="score a run's rationales and predictions")
    _add_run(evaluate)
    evaluate.add_argument("--data", help="a file or ERASER directory; default: the test split")
    evaluate.add_argument("--out", help="where results.json goes; default: into the run")
    evaluate.add_argument(
        "--sample", type=int, metavar="SEED", help="draw masks with noise instead of arg-max"
    )
    _add_faithfulness(evaluate)
    evaluate.add_argument(
        "--removal",
        choices=("compact", "mask"),
        help="tokens are taken out for that, or hidden; default: the run's compat.faith_eval_input",
    )
    evaluate.set_defaults(command=_evaluate)


def _add_faithfulness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--faithfulness",
        action="store_true",
        help="also comprehensiveness and sufficiency (1 + 2 (|K| + 1) more passes)",
    )


def _add_explain(commands: argparse._SubParsersAction) -> None:
    explain = commands.add_parser("explain", help="show the reasons for texts")
    _add_run(explain)
    what = explain.add_mutually_exclusive_group(required=True)
    what.add_argument("--text", help="one text, explained in the terminal")
    what.add_argument("--graph", metavar="JSON", help='one graph: {"nodes": [...], "edges": [...]}')
    what.add_argument("--in", dest="source", metavar="FILE", help="rows of texts or of graphs")
    explain.add_argument("--second", metavar="TEXT", help="the other text of a pair")
    explain.add_argument(
        "--choice", action="append", metavar="TEXT", help="an answer to choose; once for each"
    )
    explain.add_argument("--out", metavar="FILE", help="JSONL with one explanation a row")
    explain.set_defaults(command=_explain)


def _add_serve(commands: argparse._SubParsersAction) -> None:
    serve = commands.add_parser("serve", help="a page and a JSON endpoint for texts")
    _add_run(serve)
    serve.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    serve.add_argument("--port", type=int, default=8000, help="default: 8000")
    serve.set_defaults(command=_serve)


def _add_export(commands: argparse._SubParsersAction) -> None:
    from n2r_jax.export import FORMATS

    export = commands.add_parser("export", help="a run's predictions for others, or its model")
    formats = export.add_subparsers(required=True, metavar="FORMAT")
    for name, form in FORMATS.items():
        parser = formats.add_parser(name, help=form.help)
        _add_run(parser)
        parser.add_argument("--data", help="a file or ERASER directory; default: the test split")
        parser.add_argument("--out", required=True, metavar="PATH", help="where it goes")
        splits = ("train", "val", "dev", "test")
        parser.add_argument("--split", choices=splits, default="test", help="default: test")
        parser.add_argument("--overwrite", action="store_true", help="replace what is at PATH")
        parser.set_defaults(command=_export, format=name, aopc=False)
        if form.faithful:
            of = "also comprehensiveness and sufficiency of the best 1, 5, 10, 20, 50 % of tokens"
            parser.add_argument("--aopc", action="store_true", help=of.replace("%", "%%"))
    model = formats.add_parser("model", help="the model alone, to keep, to share, to load")
    _add_run(model)
    model.add_argument("--out", required=True, metavar="DIR", help="a folder that is not there yet")
    model.set_defaults(command=_export_model)


def _add_score(commands: argparse._SubParsersAction) -> None:
    score = commands.add_parser("score", help="score predictions as others will").add_subparsers(
        required=True, metavar="FORMAT"
    )
    eraser = score.add_parser("eraser", help="all that ERASER's official scorer gives")
    eraser.add_argument("--data_dir", "--data-dir", required=True, metavar="DIR", help="the gold")
    eraser.add_argument("--predictions", required=True, metavar="FILE", help="JSONL, a row a text")
    eraser.add_argument("--out", required=True, metavar="FILE", help="where the JSON goes")
    eraser.add_argument("--split", default="test", help="default: test")
    for name, default in (("iou", "0.5"), ("aopc", "0.01 0.05 0.1 0.2 0.5")):
        names = (f"--{name}_thresholds", f"--{name}-thresholds")
        shown = f"default: {default}"
        eraser.add_argument(*names, type=float, nargs="+", metavar="T", help=shown)
    eraser.set_defaults(command=_score_eraser)


def _add_report(commands: argparse._SubParsersAction) -> None:
    report = commands.add_parser("report", help="scores, curves and texts as one HTML file")
    _add_run(report, several=True)
    report.add_argument("--data", help="a file or ERASER directory; default: the test split")
    report.add_argument("--out", required=True, metavar="FILE", help="where the HTML goes")
    report.add_argument(
        "--texts", type=int, default=5000, metavar="N", help="texts in it; default: 5000"
    )
    _add_faithfulness(report)
    report.add_argument("--overwrite", action="store_true", help="replace what is at FILE")
    report.set_defaults(command=_report)


def _add_compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser("compare", help="runs on the same texts, with paired tests")
    compare.add_argument("runs", nargs="+", metavar="RUN", help="--workdirs; the first is the base")
    _add_checkpoint(compare)
    compare.add_argument("--data", help="a file or ERASER directory; default: the test split")
    compare.add_argument("--resamples", type=int, default=1000, metavar="N", help="default: 1000")
    compare.add_argument("--out", metavar="DIR", help="where JSON, LaTeX and CSV go")
    compare.set_defaults(command=_compare)


def _add_probe(commands: argparse._SubParsersAction) -> None:
    probe = commands.add_parser("probe", help="whether a run's reasons are what they claim to be")
    _add_run(probe)
    probe.add_argument("--data", help="a file or ERASER directory; default: the test split")
    probe.add_argument("--out", metavar="DIR", help="for numbers and pictures; default: RUN/probe")
    probe.set_defaults(command=_probe)


def _add_run(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    text = "the run's --workdir" + ("; once for every run" if several else "")
    action = "append" if several else "store"
    parser.add_argument("--run", required=True, action=action, metavar="DIR", help=text)
    _add_checkpoint(parser)


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", choices=("best", "latest"), default="best", help="default: best on dev"
    )


def _check(arguments: argparse.Namespace) -> int:
    from n2r_jax.data import check

    return check.run(arguments.files, arguments.allow_shared, arguments.second)


def _export(arguments: argparse.Namespace) -> int:
    _start()
    from n2r_jax.export.command import export_command
    from n2r_jax.score.eraser import AOPC_THRESHOLDS

    return export_command(
        arguments.format,
        arguments.run,
        arguments.out,
        data=arguments.data,
        split=arguments.split,
        which=arguments.checkpoint,
        shares=AOPC_THRESHOLDS if arguments.aopc else (),
        overwrite=arguments.overwrite,
    )


def _serve(arguments: argparse.Namespace) -> int:
    # One device: a batch of a page's requests is small, and the other cores answer them.
    _start(cpu_devices=1)
    from n2r_jax.serve.command import serve_command

    host, port = arguments.host, arguments.port
    return serve_command(arguments.run, host=host, port=port, which=arguments.checkpoint)


def _export_model(arguments: argparse.Namespace) -> int:
    _start()
    from n2r_jax.export.model import export_model_command

    return export_model_command(arguments.run, arguments.out, arguments.checkpoint)


def _score_eraser(arguments: argparse.Namespace) -> int:
    from n2r_jax.score.eraser import score_command

    return score_command(
        arguments.data_dir,
        arguments.predictions,
        arguments.out,
        arguments.split,
        iou_thresholds=arguments.iou_thresholds or (),
        aopc_thresholds=arguments.aopc_thresholds or (),
    )


def _report(arguments: argparse.Namespace) -> int:
    _start()
    from n2r_jax.report.command import report_command

    return report_command(
        arguments.run,
        arguments.out,
        data=arguments.data,
        which=arguments.checkpoint,
        limit=arguments.texts,
        faithfulness=arguments.faithfulness,
        overwrite=arguments.overwrite,
    )


def _compare(arguments: argparse.Namespace) -> int:
    _start()
    from n2r_jax.compare.command import compare_command

    return compare_command(
        arguments.runs,
        data=arguments.data,
        which=arguments.checkpoint,
        resamples=arguments.resamples,
        out=arguments.out,
    )


def _probe(arguments: argparse.Namespace) -> int:
    _start()
    from n2r_jax.probe.command import probe_command

    return probe_command(
        arguments.run, data=arguments.data, which=arguments.checkpoint, out=arguments.out
    )


def _sweep(arguments: argparse.Namespace) -> int:
    from n2r_jax.sweep import sweep_command

    return sweep_command(arguments.directory, arguments.out)


def _start(cpu_devices: int | None = None) -> None:
    from n2r_jax import runtime

    runtime.configure(cpu_devices=cpu_devices)
    runtime.enable_compilation_cache()


def _evaluate(arguments: argparse.Namespace) -> int:
    _start()
    from n2r_jax.evaluate import evaluate_command

    return evaluate_command(
        arguments.run,
        data=arguments.data,
        out=arguments.out,
        which=arguments.checkpoint,
        sample_seed=arguments.sample,
        faithfulness=arguments.faithfulness,
        removal=arguments.removal,
    )


def _explain(arguments: argparse.Namespace) -> int:
    if arguments.source and not arguments.out:
        raise UserError("--in needs --out FILE for the explanations")
    _start()
    from n2r_jax.explain import Explainer, explain_file

    explainer = Explainer(arguments.run, arguments.checkpoint)
    if arguments.source:
        rows = explain_file(explainer, arguments.source, arguments.out)
        print(f"{rows} explanations written to {arguments.out}")
        return 0
    from rich.console import Console

    second = [arguments.second] if arguments.second is not None else None
    choices = [arguments.choice] if arguments.choice else None
    given = arguments.text if arguments.graph is None else _graph(arguments.graph)
    (found,) = explainer.explain([given], second=second, choices=choices)
    console = Console()
    named = dict(zip(found.probabilities, arguments.choice or found.probabilities, strict=True))
    shares = "  ".join(
        f"{named[label]} {100 * p:.1f} %" for label, p in found.probabilities.items()
    )
    console.print(f"[bold]{named[found.label]}[/bold]  ({shares})", highlight=False)
    console.print(found.to_rich())
    return 0


def _graph(given: str) -> dict[str, Any]:
    """A graph that was written on the command line."""
    try:
        fields = json.loads(given)
    except ValueError as error:
        raise UserError(f"--graph is not JSON ({error}); write it as a row of a file") from None
    if not isinstance(fields, dict):
        raise UserError('--graph is not an object; write {"nodes": [...], "edges": [...]}')
    return fields


if __name__ == "__main__":
    sys.exit(main())
