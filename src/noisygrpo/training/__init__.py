"""The trainer: a small subclass of ``trl.GRPOTrainer`` whose rollouts see views and whose scores see clean images."""
