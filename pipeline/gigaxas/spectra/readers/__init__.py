"""Readers of reference spectra, one a file format."""
