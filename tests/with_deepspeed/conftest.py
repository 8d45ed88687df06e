"""Collects nothing where DeepSpeed is not installed; ``make test-deepspeed`` installs it."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("deepspeed") else ["test_*.py"]
