"""Who sees what, and how it is drawn."""
