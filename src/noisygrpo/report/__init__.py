"""Showing: tables, plots and pages of what happened in a run.

``noisygrpo.report.views.redraw`` draws what a rollout saw again, from its line in
``rollouts.jsonl``.
"""
