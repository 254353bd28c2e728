#!/usr/bin/python3
"""Turn result files of the benchmarks into a report, or compare two of them.

    report.py bench/results/*.json                 writes report/index.html, report/report.md and the pictures
    report.py --compare OLD.json NEW.json          says which rows became faster or slower
    report.py --check bench/results/*.json         says whether files are fit to be published, or why not
    report.py --history OLD.json ... NEW.json      one machine over revisions, and what of it is significant
    report.py --index bench/results/*.json         writes bench/results/index.html, all machines in one table

Exit status: 0 done (with --compare: nothing became slower; with --check: all are fit), 1 a row of --compare became
slower or failed, or a file of --check contradicts itself, 2 a file cannot be read or is no result file; a report of
the others is written all the same.
"""

import argparse
import pathlib
import sys

from report.fields import InputError, load_each, report_input_error, stop_for_missing

try:
    from report import archs, benchmark, compare, conformance, doubts, history, significance
except ImportError as missing:
    stop_for_missing(missing)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE", help="JSON of the benchmarks (bench/SCHEMA.md)")
    parser.add_argument(
        "--output", default="report", metavar="FOLDER", help="where the report goes (default: %(default)s)"
    )
    parser.add_argument("--tables", metavar="FILE", help="write the tables alone, as Markdown, and no folder")
    parser.add_argument("--title", default="How fast is GFPQ?", help="heading of the report (default: %(default)s)")
    parser.add_argument(
        "--conformance",
        nargs="+",
        default=[],
        metavar="FILE",
        help="JSON of the conformance runner, shown in the report too",
    )
    parser.add_argument("--archs", metavar="FILE", help="JSON of check_archs.py, for a page of its own beside the report")
    parser.add_argument("--check", nargs="+", metavar="FILE", help="say whether result files are fit to be published")
    parser.add_argument("--history", nargs="+", metavar="FILE", help="runs of one machine, and what differs")
    parser.add_argument(
        "--index", nargs="+", metavar="FILE", help="write index.html, a page of all runs, beside the first of these files"
    )
    against = parser.add_argument_group("comparison")
    against.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="compare two result files")
    against.add_argument(
        "--force", action="store_true", help="compare other machines too, in units of each machine's own limit"
    )
    against.add_argument(
        "--alpha", type=float, default=significance.ALPHA, help="level of the test (default: %(default)s)"
    )
    against.add_argument(
        "--minimum-effect",
        type=float,
        default=significance.MINIMUM_EFFECT,
        metavar="SHARE",
        help="smallest difference that matters, as a share of the median (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if sum(map(bool, (options.files, options.compare, options.check, options.history, options.index))) != 1:
        parser.error("name result files, or one of --compare OLD NEW, --check, --history or --index FILE ...")
    return options


def check(files):
    """Say of each file whether it is fit to be published; 1 where one is not. Quoted figures are not judged."""
    status = 0
    for results in [benchmark.load(file) for file in files]:
        sentences = [] if results.quoted else doubts.unfit(results)
        verdict = "not fit to be published:" if sentences else "fit to be published"
        print(f"{results.file}: " + ("quoted, not measured: not judged" if results.quoted else verdict))
        for sentence in sentences:
            print(f"  {sentence}")
        status = 1 if sentences else status
    return status


def index(files):
    """Write the page of all results; 2 where a file was left out."""
    from report import results_page

    page, refused = pathlib.Path(files[0]).parent / "index.html", []
    number = results_page.write(files, page, refused)
    for error in refused:
        print(report_input_error(error), file=sys.stderr)
    print(f"{page}: {number} runs")
    return 2 if refused else 0


def main(arguments=None):
    options = parse(arguments)
    try:
        if options.compare:
            old, new = (benchmark.load(file) for file in options.compare)
            return compare.run(old, new, options.force, compare.Options(options.alpha, options.minimum_effect))
        if options.check:
            return check(options.check)
        if options.history:
            history.run(benchmark.load_all(options.history), sys.stdout)
            return 0
        if options.index:
            return index(options.index)
        from report import document, style  # matplotlib takes its time; a comparison does not need it

        refused = []
        everything = benchmark.load_all(options.files, refused)
        runs = conformance.load_all(options.conformance, refused)
        tables = load_each(archs.load, filter(None, [options.archs]), refused)
        for error in refused:
            print(report_input_error(error), file=sys.stderr)
        if not everything:
            return 2
        table = tables[0] if tables else None
        if options.tables:
            document.write_tables(everything, options.tables, options.title, runs)
            return 2 if refused else 0
        with style.missing_letters() as letters:
            pictures, missing = document.write(everything, options.output, options.title, runs, table)
    except (InputError, OSError) as error:
        print(report_input_error(error), file=sys.stderr)
        return 2
    if letters:
        print(style.about_missing(letters), file=sys.stderr)
    print(f"{options.output}/index.html: {len(pictures)} figures")
    for item in missing:
        print(f"left out: {item.title}: {item.reason}")
    return 2 if refused else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ImportError as missing:  # of what is imported where it is needed
        stop_for_missing(missing)
