"""What is written down: rollouts, metrics, times."""
