"""Scoring completions: row by row, or with one forward per group."""
