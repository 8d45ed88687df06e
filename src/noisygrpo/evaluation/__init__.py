"""Measuring: generation, rule-based verdicts, statistics and benchmarks."""
