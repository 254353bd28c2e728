#!/usr/bin/python3
"""Check what shared libraries tell the loader: soname, the libraries that they need, no folders to search, protections."""

import argparse
import sys

from elftools.elf.constants import P_FLAGS
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

# All that a library may need: what every system with a C++ compiler has.
ALLOWED = {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2",
           "ld-linux-aarch64.so.1", "libgcc_s.so.1", "libstdc++.so.6"}
DF_BIND_NOW, DF_1_NOW = 0x8, 0x1


def problems(file, soname):
    elf = ELFFile(file)
    dynamic = next(section for section in elf.iter_sections() if isinstance(section, DynamicSection))
    tags = {}
    for tag in dynamic.iter_tags():
        value = next((getattr(tag, name) for name in ("needed", "soname", "rpath", "runpath") if hasattr(tag, name)),
                     tag.entry.d_val)
        tags.setdefault(tag.entry.d_tag, []).append(value)
    segments = {segment.header.p_type: segment.header.p_flags for segment in elf.iter_segments()}
    symbols = {symbol.name for section in elf.iter_sections() if isinstance(section, SymbolTableSection)
               for symbol in section.iter_symbols() if symbol.entry.st_shndx == "SHN_UNDEF"}

    if tags.get("DT_SONAME") != [soname]:
        yield f"the soname is {tags.get('DT_SONAME')}, not {soname}"
    for name in sorted(set(tags.get("DT_NEEDED", [])) - ALLOWED):
        yield f"it needs {name}"
    for tag in ("DT_RPATH", "DT_RUNPATH"):
        for folder in tags.get(tag, []):
            yield f"{tag}: it makes the loader search {folder}"
    if "DT_TEXTREL" in tags:
        yield "text relocations: its code is written to when it is loaded (is an object not -fPIC?)"
    if "PT_GNU_STACK" not in segments or segments["PT_GNU_STACK"] & P_FLAGS.PF_X:
        yield "its stack is executable (-z noexecstack)"
    if "PT_GNU_RELRO" not in segments:
        yield "relocated data stay writable (-z relro)"
    flags, flags_1 = tags.get("DT_FLAGS", [0])[0], tags.get("DT_FLAGS_1", [0])[0]
    if not (flags & DF_BIND_NOW or flags_1 & DF_1_NOW or "DT_BIND_NOW" in tags):
        yield "functions are bound at their first call, so their table stays writable (-z now)"
    if "__stack_chk_fail" not in {name.split("@")[0] for name in symbols}:
        yield "no stack protector (-fstack-protector-strong)"
    if not any(name.split("@")[0].endswith("_chk") for name in symbols):
        yield "the C library's checks are off (-D_FORTIFY_SOURCE=2)"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="+", help="files named libNAME.so.MAJOR.MINOR.PATCH")
    failed = False
    for path in parser.parse_args().libraries:
        name = path.rpartition("/")[2]
        soname = ".".join(name.split(".")[:3])
        with open(path, "rb") as file:
            for problem in problems(file, soname):
                failed = True
                print(f"{name}: {problem}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
