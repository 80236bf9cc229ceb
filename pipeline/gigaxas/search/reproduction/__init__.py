"""The search methods of [P], kept to be compared."""
