"""Small result files, made up for the tests."""

import importlib.util
import json
import pathlib
import sys

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
if str(SCRIPTS) not in sys.path:
    sys.path.insert(0, str(SCRIPTS))


def script(name):
    """The module of a script; `import report` would give the package of that name."""
    specification = importlib.util.spec_from_file_location(name.replace(".", "_"), SCRIPTS / name)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def write(folder, name, content):
    path = pathlib.Path(folder) / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def conformance_run(name="libgfpq.so.1.2.0", results=None, device="cpu", verdict="computes GFPQ"):
    """A result file with five requirements; `results` maps an id to (result, failed checks, failure text)."""
    titles = {
        "GFPQ-LADDER-01": "Every value of the 8-bit ladder is the float nearest to its power of two",
        "GFPQ-LADDER-02": "Every value of the 16-bit ladder is the float nearest to its power of two",
        "GFPQ-SPECIAL-01": "NaN becomes +0",
        "GFPQ-SPECIAL-02": "Infinity becomes the largest value of its sign",
        "GFPQ-BLOCK-01": "A block whose words disagree is refused",
    }
    requirements, findings = [], []
    for index, (identity, title) in enumerate(titles.items()):
        result, failed, failure = (results or {}).get(identity, ("expected pass", 0, ""))
        checks = 0 if result == "not run" else 1150 + index
        reason = "the vendor's overflow" if result == "expected failure" else ""
        common = dict(checks=checks, failed=failed, result=result, reason=reason)
        requirements.append(
            dict(id=identity, title=title, passed=checks - failed, tests=[f"Suite.Test{index}"], **common)
        )
        if failed or failure:
            findings.append(dict(case=f"Suite.Test{index}", requirement=identity, text=failure, **common))
    kinds = ("expected pass", "expected failure", "unexpected failure", "unexpected pass", "not run")
    return {
        "schema": "gfpq-conformance/2",
        "suite": {"version": "1.2.0", "cases": 5, "cases_run": 5, "filter": ""},
        "machine": {"platform": "linux-x86_64", "cpu": "Made-up CPU"},
        "verdict": verdict,
        "library": {
            "path": f"lib/{name}",
            "name": name,
            "version": name.split(".so.")[-1],
            "sha256": "ab" * 32,
            "revision": 13997,
            "build_time": "Oct 11 2019 10:58:56",
        },
        "device": device,
        "known_deviations": None,
        "date": "2026-11-23T10:00:00Z",
        "seconds": 12.3,
        "requirements": requirements,
        "profiles": [
            {"name": "arithmetic, 8 bit float", "offered": True, "holding": 4, "known": 0, "not_run": 0, "failing": []},
            {"name": "arithmetic, 8 bit double", "offered": False, "holding": 0, "known": 0, "not_run": 4, "failing": []},
            {"name": "parameter block", "offered": True, "holding": 0, "known": 0, "not_run": 0,
             "failing": ["GFPQ-BLOCK-01"]},
        ],
        "shares": [
            {"data": "weights", "bits": 8, "double": False, "numbers": 1000000, "other_codes": 0, "problem": ""},
            {"data": "weights", "bits": 8, "double": True, "numbers": 0, "other_codes": 0, "problem": "it hung"},
        ],
        "findings": findings,
        "summary": {kind: sum(r["result"] == kind for r in requirements) for kind in kinds},
    }


PASSES = {"apply": 2, "init": 3}


def bench_context(**changes):
    context = {
        "schema": "gfpq-bench/1",
        "quoted": False,
        "device": "cpu",
        "date": "2026-11-23T10:00:00+00:00",
        "title": "Made-up CPU",
        "suite": "full",
        "project_version": "1.2.0",
        "project_revision": "523e40bdf6b0",
        "compiler": "g++ 12.2.0",
        "compiler_flags": "-O3",
        "cpu_model": "Made-up CPU 9000",
        "architecture": "x86_64",
        "threads_all": 4,
        "cache_l1d_bytes": 49152,
        "cache_l2_bytes": 1048576,
        "cache_l3_bytes": 33554432,
        "library": {
            "file": "libgfpq.so.1.2.0",
            "version": "1.2.0",
            "targets": ["avx512", "avx2", "scalar"],
            "threads": "set",
        },
        "peer": {"file": "libgfpq.so.1.1.5", "version": "1.1.5", "targets": ["own"], "threads": "own"},
    }
    context.update(changes)
    return {key: value for key, value in context.items() if value is not ...}


def quantize_name(target="avx512", bits=8, mode="apply", count=13107200, threads=1, cache="cold", lib="ours"):
    work = f"type:f32/bits:{bits}/mode:{mode}/data:guide/count:{count}/threads:{threads}/cache:{cache}"
    return f"quantize/lib:{lib}/target:{target}/{work}"


def repetitions(name, times, limit=None, peer=None, passes=2, count=13107200):
    """Raw rows as Google Benchmark writes them; times in ns."""
    rows = []
    for index, time in enumerate(times):
        row = {"name": name, "run_name": name, "run_type": "iteration", "repetition_index": index, "iterations": 1}
        row.update(real_time=time, cpu_time=time, time_unit="ns", gbytes_per_second=passes * 4 * count / time)
        if name.startswith("quantize"):
            row["guide_gib_per_second"] = 4 * count / time * 1e9 / 2**30
        if limit:
            row.update(limit_time=limit, limit_ratio=limit / time)
        if peer:
            row.update(peer_time=peer, peer_ratio=peer / time)
        rows.append(row)
    rows.append(
        {
            "name": name + "_median",
            "run_name": name,
            "run_type": "aggregate",
            "aggregate_name": "median",
            "real_time": times[0],
        }
    )
    return rows


def spread_around(time, share=0.01, number=9):
    return [time * (1 + share * (index - number // 2) / number) for index in range(number)]


def bench_run(speed=1.0, **changes):
    """A whole run: both widths, two modes, three instruction sets, five sizes, 1, 2 and 4 threads, a peer."""
    rows = []
    for bits in (8, 16):
        for mode, passes in PASSES.items():
            for count in (1024, 32768, 1 << 20, 1 << 23, 13107200):
                for cache in ("cold", "warm"):
                    for threads in (1, 2, 4):
                        rate = (20 if cache == "cold" else 60) * threads**0.7 / (1 if bits == 8 else 1.4) / speed
                        limit = passes * 4 * count / (25 * threads**0.7) + 50
                        time = passes * 4 * count / rate + 100
                        name = quantize_name(bits=bits, mode=mode, count=count, threads=threads, cache=cache)
                        peer = 200 * time if cache == "cold" else None
                        rows += repetitions(name, spread_around(time, 0.2), limit, peer, passes, count)
                    if cache == "warm" and mode == "apply":
                        name = quantize_name("own", bits, mode, count, "own", cache, "peer")
                        rows += repetitions(name, spread_around(2e5 + 50 * time, 0.2), None, None, passes, count)
            for target, factor in (("avx2", 1.3), ("scalar", 9)):
                name = quantize_name(target=target, bits=bits, mode=mode)
                rows += repetitions(name, spread_around(factor * passes * 2.6e6), 4.2e6, None, passes)
    return {"context": bench_context(**changes), "benchmarks": rows}


def gpu_run(speed=1.0, name="Made-up GPU", l2_bytes=52428800):
    """As the GPU's program writes it. No GPU is like this: the numbers are round, and made up."""
    gpu = dict(
        name=name, compute_capability="9.0", multiprocessors=100, memory_bytes=80 << 30, l2_bytes=l2_bytes,
        memory_bus_bits=4096, peak_gbytes_per_second=2000 * speed, driver="1.2.3", driver_cuda="13.0",
        toolkit_cuda="13.0", sm_clock_mhz=1000, memory_clock_mhz=1000, sm_clock_max_mhz=2000,
        memory_clock_max_mhz=1000, power_limit_watts=500, ecc=True, code="machine code sm_90",
    )  # fmt: skip
    context = bench_context(device="gpu", title=name, gpu=gpu, threads_all=None)
    context["library"] = {"file": "libgfpq_gpu.so.1.2.0", "version": "1.2.0", "targets": ["sm_90"], "threads": "own"}
    context["peer"] = {
        "file": "cub::DeviceTransform", "version": "3.0.1", "targets": ["sm_90"], "threads": "own"
    }  # fmt: skip
    rows = []
    for bits in (8, 16):
        for mode, passes in PASSES.items():
            for count in (1 << 20, 1 << 23, 13107200, 1 << 26):
                for cache in ("cold", "warm"):
                    limit = passes * 4 * count / ((1800 if cache == "cold" else 3000) * speed) + 2000
                    time = 1.02 * limit + 500
                    peer = 1.1 * time if mode == "apply" else None
                    for lib in ("ours", "peer") if peer else ("ours",):
                        new = repetitions(
                            gpu_name(bits=bits, mode=mode, count=count, cache=cache, lib=lib),
                            spread_around(time if lib == "ours" else peer),
                            limit,
                            peer if lib == "ours" else None,
                            passes,
                            count,
                        )
                        for row in new[:-1]:
                            row.update(call_time=4000.0, end_to_end_time=row["real_time"] + 9000)
                        rows += new
    for op, passes in (("scale", 2), ("max", 1), ("copy", 2), ("max+scale", 3)):
        limit = f"limit/device:gpu/op:{op}/type:f32/count:13107200/threads:own/cache:cold"
        rows += repetitions(limit, spread_around(passes * 4 * 13107200 / (1800 * speed)), passes=passes)
    return {"context": context, "benchmarks": rows}


def archs_table(problems=(), **changes):
    """What check_archs.py writes: two kernels, as PTX of one compiler and as machine code of two."""
    kernels = []
    for architecture, compiler, registers in (
        ("sm_30", "clang 14.0.6", None),
        ("sm_90", "NVRTC 12.9", 41),
        ("sm_90", "nvcc 13.0.88", 40),
        ("compute_121", "nvcc 13.0.88", None),
    ):
        for kernel in ("fit<double, 8 bit>", "fake_quantize<float, 8 bit>"):
            told = registers is not None
            kernels.append(
                dict(
                    architecture=architecture, compiler=compiler, code="machine code" if told else "PTX",
                    kernel=kernel, registers=registers, spill_bytes=0 if told else None,
                    shared_bytes=192 if told else None, constant_bytes=None, load_bits=128, store_bits=128,
                )
            )  # fmt: skip
    kernels[-3].update(changes)
    return {"schema": "gfpq-archs/1", "kernels": kernels, "problems": list(problems)}


def gpu_name(**keys):
    return quantize_name(target="sm_90", threads="own", **keys).replace("quantize/", "quantize/device:gpu/")


def quoted_run():
    unstated = "mode:unstated/data:guide/count:13107200/threads:unstated/cache:unstated"
    name = "quantize/system:{}/lib:vendor/type:f32/bits:8/" + unstated
    rows = []
    for system, times in (("linux", (756191, 756840, 774822)), ("windows", (172000, 157000, 141000))):
        rows += repetitions(name.format(system), [1000 * time for time in times])[:-1]
    for row in rows:
        del row["gbytes_per_second"]
    context = {"schema": "gfpq-bench/1", "quoted": True, "device": "cpu", "date": "2019", "title": "Vendor's guide"}
    return {"context": {**context, "source": "the vendor's user guide of 2019"}, "benchmarks": rows}
