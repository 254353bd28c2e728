#!/usr/bin/python3
"""Check a DLL: it exports all names of a list and nothing else, stands alone, and never moves AVX registers by aligned moves.

Windows aligns the stack to 16 bytes, and GCC spills 32- and 64-byte registers there as if it were aligned for them
(its bug 54412): an aligned move would crash.
"""

import argparse
import pathlib
import re
import subprocess
import sys

SYSTEM_LIBRARIES = {"kernel32.dll", "msvcrt.dll", "ucrtbase.dll"}


def problems(dump, library, names):
    headers, code = (subprocess.run([dump, option, library], check=True, stdout=subprocess.PIPE, text=True).stdout
                     for option in ("-p", "-d"))
    exported = set(re.findall(r"^\t\[ *\d+\] (\S+)$", headers, re.MULTILINE))
    yield from (f"missing: {name}" for name in sorted(names - exported))
    yield from (f"exported, but not in the list: {name}" for name in sorted(exported - names))
    for name in re.findall(r"DLL Name: (\S+)", headers):
        if name.lower() not in SYSTEM_LIBRARIES and not name.startswith("api-ms-win-"):
            yield f"needs {name}, which Windows does not have"
    yield from re.findall(r".*\tvmov(?:ap[sd]|dqa)\w* .*\(.*", code)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library")
    parser.add_argument("list", type=pathlib.Path)
    parser.add_argument("--objdump", default="objdump")
    arguments = parser.parse_args()

    found = list(problems(arguments.objdump, arguments.library, set(arguments.list.read_text().split())))
    print("\n".join(found[:20]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
