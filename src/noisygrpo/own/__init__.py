"""A run's noise, view plan and advantage: published ones by name, one's own by ``path.py:f``."""
