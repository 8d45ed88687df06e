"""The ladder of hints, and which of its levels is trained."""
