"""No picture lost between engine and trainer."""
