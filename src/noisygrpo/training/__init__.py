"""The trainer: ``trl.GRPOTrainer`` whose rollouts see views and whose scores see clean images."""
