"""Chunks, checksums, and stores published by rename."""
