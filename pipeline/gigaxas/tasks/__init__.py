"""What runs on one tile: read, compute, write whole chunks, return a small summary."""
