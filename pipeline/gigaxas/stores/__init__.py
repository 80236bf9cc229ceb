"""The Zarr layout of cube, sites and result; nothing else opens a store."""
