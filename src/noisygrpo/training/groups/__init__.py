"""Which groups of rollouts are trained."""
