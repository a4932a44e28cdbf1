"""Benchmarks: every figure beside a baseline of the same run, because machines are noisy."""
