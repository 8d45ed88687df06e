"""Showing: tables and plots of what happened in a run."""
