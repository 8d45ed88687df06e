"""What is added to the loss, and how the loss weighs completions and tokens."""
