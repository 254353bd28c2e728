"""Writes PTX without the last barrier of each kernel: a test that this is found. Usage: remove_barrier.py FROM TO"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LAST_BARRIER = re.compile(r"^\s*bar\.sync[^;]*;\n(?!.*bar\.sync)", re.MULTILINE | re.DOTALL)


def main() -> int:
    source, output = map(Path, sys.argv[1:])
    kernels = re.split(r"(?m)^(?=\.visible \.entry)", source.read_text())
    output.write_text("".join(LAST_BARRIER.sub("", kernel, count=1) for kernel in kernels))
    return 0


if __name__ == "__main__":
    sys.exit(main())
