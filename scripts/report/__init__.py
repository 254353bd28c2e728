"""Reads result files of the benchmarks and of the conformance runner, and turns them into pages, tables and figures."""
