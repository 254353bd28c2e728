"""What the tests of packages share: the sample's output as the guide shows it, and programs built and run."""

import json
import math
import os
import pathlib
import re
import shlex
import subprocess

PROJECT = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "samples" / "sample.cpp"
STEPS = {8: 16, 16: 128}  # per octave
NO_GPU = "this machine has no NVIDIA GPU"


def quantized(bits):
    """The numbers 0 to 9 as the sample must print them, by the rule's first principles."""
    if bits == 8:
        return json.loads((PROJECT / "golden/guide/samples.json").read_text())["sample"]["printed_cpp"]
    highest = math.floor(STEPS[bits] * math.log2(9))
    return ["0.000000"] + [f"{2 ** (min(round(STEPS[bits] * math.log2(number)), highest) / STEPS[bits]):f}"
                           for number in range(1, 10)]


def sample_output(bits=8, function="HI_GFPQ_QuantAndDeQuant", version=r"\d+\.\d+\.\d+", count=13107200):
    """A pattern of all that the sample prints: the guide's lines, with this machine's figures."""
    origin = " ".join(f"{number:f}" for number in range(10))
    call = (rf"\[quant_and_dequant\]\[\d+\] Data_ori : {re.escape(origin)}\n"
            rf"\[quant_and_dequant\]\[\d+\] Data_dequant : {re.escape(' '.join(quantized(bits)))}\n")
    run = (rf"{function} bit_width\[{bits:2}\] cnt\[{count:9}\] memory\[{count / 256:6.0f}\]KB time\[\d+\]us "
           r"rate\[\d+\.\d{6}\]GB/s\n")
    return re.compile(rf"GFPQ version\[{version}\] Compiler revision\[\d+\] Build at\[[^\]]+\]\n"
                      rf"Quant and dequant bit_width\[{bits}\]\n(?:{call}){{4}}(?:{run}){{10}}")


def run(*command, cwd=None, status=0, **environment):
    """Standard output and error of a command that must end with this status."""
    environment = {**os.environ, **{name: str(value) for name, value in environment.items()}}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != status:
        raise AssertionError(f"{shlex.join(map(str, command))}\nended with {done.returncode}, not {status}:\n{done.stdout}")
    return done.stdout


def cmake_cache(build_folder):
    """The variables of a build folder, by name and type, as CMAKE_BUILD_TYPE:STRING."""
    return dict(line.split("=", 1) for line in (build_folder / "CMakeCache.txt").read_text().splitlines() if "=" in line)


def compile_cxx(output, *arguments):
    """Links a program, by `g++` as a user would."""
    run("g++", "-std=c++11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", output, *arguments)
    return output
