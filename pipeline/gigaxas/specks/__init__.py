"""Specks: phases smaller than the window of the clean-up, down to one pixel."""
