#!/usr/bin/python3
"""Check what shared libraries tell the loader: soname, the libraries that they need, no folders to search, protections, and
with --glibc that they load on systems as old as that."""

import argparse
import sys

from elftools.elf.constants import P_FLAGS
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

# All that a library may need: what every system with a C++ compiler has.
ALLOWED = {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "ld-linux-x86-64.so.2",
           "ld-linux-aarch64.so.1", "libgcc_s.so.1", "libstdc++.so.6"}
DF_BIND_NOW, DF_1_NOW = 0x8, 0x1
THREADS_IN_LIBC = (2, 34)  # the first glibc with pthread_create in libc.so.6


def version_of(text):
    """(2, 17) of 2.17."""
    return tuple(map(int, text.split(".")))


def needed_versions(elf):
    """The versions of symbols that each library must have: {"libc.so.6": {"GLIBC_2.17", ...}, ...}."""
    return {library.name: {version.name for version in versions} for section in elf.iter_sections()
            if isinstance(section, GNUVerNeedSection) for library, versions in section.iter_versions()}


def glibc_problems(tags, versions, symbols, oldest):
    """What keeps the file from working on glibc as old as `oldest`, or, where that is None, as its own versions say."""
    numbers = [version_of(name[len("GLIBC_"):]) for names in versions.values() for name in names
               if name.startswith("GLIBC_") and name != "GLIBC_PRIVATE"]
    if not numbers:  # another C library
        return
    least = ".".join(map(str, max(numbers)))
    if oldest is not None and max(numbers) > oldest:
        yield f"it needs glibc {least}"
    if oldest is not None and "libstdc++.so.6" in versions:
        yield f"it needs libstdc++.so.6 with {', '.join(sorted(versions['libstdc++.so.6']))}"
    # The C++ library calls pthread_create through a weak symbol: null where nothing loads libpthread.so.0.
    starts_threads = any(name == "pthread_create" or name.startswith("_ZNSt6thread15_M_start_thread") for name in symbols)
    if starts_threads and max(numbers) < THREADS_IN_LIBC and "libpthread.so.0" not in tags.get("DT_NEEDED", []):
        yield f"it starts threads and loads on glibc {least}, but does not need libpthread.so.0, which has them before 2.34"


def problems(file, soname, oldest_glibc=None):
    elf = ELFFile(file)
    dynamic = next(section for section in elf.iter_sections() if isinstance(section, DynamicSection))
    tags = {}
    for tag in dynamic.iter_tags():
        value = next((getattr(tag, name) for name in ("needed", "soname", "rpath", "runpath") if hasattr(tag, name)),
                     tag.entry.d_val)
        tags.setdefault(tag.entry.d_tag, []).append(value)
    segments = {segment.header.p_type: segment.header.p_flags for segment in elf.iter_segments()}
    symbols = {symbol.name.split("@")[0]: symbol.entry.st_shndx for section in elf.iter_sections()
               if isinstance(section, SymbolTableSection) for symbol in section.iter_symbols()}
    undefined = {name for name, section in symbols.items() if section == "SHN_UNDEF"}

    yield from glibc_problems(tags, needed_versions(elf), undefined, oldest_glibc)
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
    if "__stack_chk_fail" not in symbols:  # of the C library, or the compiler's own
        yield "no stack protector (-fstack-protector-strong)"
    if not any(name.endswith("_chk") for name in undefined):
        yield "the C library's checks are off (-D_FORTIFY_SOURCE=2)"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("libraries", nargs="+", help="files named libNAME.so.MAJOR.MINOR.PATCH")
    parser.add_argument("--glibc", type=version_of, metavar="MAJOR.MINOR",
                        help="the oldest glibc that they must work on, without a shared C++ library")
    options = parser.parse_args()
    failed = False
    for path in options.libraries:
        name = path.rpartition("/")[2]
        soname = ".".join(name.split(".")[:3])
        with open(path, "rb") as file:
            for problem in problems(file, soname, options.glibc):
                failed = True
                print(f"{name}: {problem}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
