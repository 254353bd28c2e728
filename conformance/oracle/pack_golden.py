#!/usr/bin/python3
"""Write all golden data into one file, and the source that takes it into a program.

    pack_golden.py GOLDEN_FOLDER PACK SOURCE

The pack: a line `SIZE NAME` for each file of SHA256SUMS and that one itself, an empty line, and the files' bytes.
"""

import hashlib
import pathlib
import sys


def main():
    folder, pack, source = map(pathlib.Path, sys.argv[1:])
    sums = (folder / "SHA256SUMS").read_bytes()
    files = {"SHA256SUMS": sums}
    for line in sums.decode().splitlines():
        checksum, name = line.split()
        files[name] = (folder / name).read_bytes()
        if hashlib.sha256(files[name]).hexdigest() != checksum:
            sys.exit(f"{folder / name} is damaged: its checksum is not the one in SHA256SUMS")
    index = "".join(f"{len(content)} {name}\n" for name, content in files.items())
    content = index.encode() + b"\n" + b"".join(files.values())
    pack.write_bytes(content)
    # The checksum makes the source another one where the data are others, for compilers that keep what they compiled.
    source.write_text(f"""// {hashlib.sha256(content).hexdigest()}
#include "oracle/golden.hpp"

#if defined(_MSC_VER) // which can't include a file's bytes: the folder is read
std::string_view conformance::golden_pack() {{ return {{}}; }}
#else
#if defined(_WIN32)
#define GFPQ_SECTION ".section .rdata$gfpq, \\"dr\\"\\n"
#else
#define GFPQ_SECTION ".section .rodata.gfpq, \\"a\\"\\n"
#endif
__asm__(GFPQ_SECTION
        ".globl gfpq_golden_begin\\n.globl gfpq_golden_end\\n"
        "gfpq_golden_begin:\\n.incbin \\"{pack}\\"\\n"
        "gfpq_golden_end:\\n.byte 0\\n"
        ".text\\n");

extern "C" const char gfpq_golden_begin[] __attribute__((visibility("hidden")));
extern "C" const char gfpq_golden_end[] __attribute__((visibility("hidden")));

std::string_view conformance::golden_pack() {{
  return {{gfpq_golden_begin, static_cast<std::size_t>(gfpq_golden_end - gfpq_golden_begin)}};
}}
#endif
""")


if __name__ == "__main__":
    main()
