"""The experiment behind docs/evidence.md: arms, runs, judgement, tables."""
