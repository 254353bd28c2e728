#!/usr/bin/python3
"""Turn result files of the conformance runner into one page: profiles and requirements by libraries.

Exit status: 0 the report was written (whatever the verdict is), 2 a file cannot be read or is no conformance result.
"""

import argparse
import pathlib
import sys

from report.fields import InputError, report_input_error, stop_for_missing

try:
    from report import conformance, pages
except ImportError as missing:
    stop_for_missing(missing)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="JSON that the conformance runner wrote")
    parser.add_argument("--html", metavar="FILE", type=pathlib.Path, help="write one self-contained HTML page")
    parser.add_argument("--title", default="Conformance to GFPQ", help="heading (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        runs = conformance.load_all(options.files)
        if options.html:
            page = pages.render(
                "conformance.html.j2", title=options.title, runs=runs, areas=conformance.matrix(runs),
                profiles=conformance.profile_rows(runs), shares=conformance.share_rows(runs), outcomes=conformance.OUTCOMES)
            options.html.parent.mkdir(parents=True, exist_ok=True)
            options.html.write_text(page, encoding="utf-8")
    except (InputError, OSError) as error:
        print(report_input_error(error), file=sys.stderr)
        return 2
    for run in runs:
        print(f"{run.label}: {run.verdict[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
