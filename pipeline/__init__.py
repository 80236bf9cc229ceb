"""Exact phase maps from gigapixel X-ray absorption spectral images."""
