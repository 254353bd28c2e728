"""Compiles the GPU kernels and reads what came out."""
