"""Image files of raw fields and stacks, and what they say of energies and positions."""
