"""What samples: generate, or vLLM."""
