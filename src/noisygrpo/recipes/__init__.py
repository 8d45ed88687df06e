"""Recipes: the YAML files that ship, and how one is read."""
