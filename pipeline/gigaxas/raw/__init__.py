"""Raw counts to absorbance: registration, energy shift, stitching; readers of their files."""
