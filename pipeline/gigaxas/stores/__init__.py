"""The Zarr layout of cube, sites and result: the only room that opens a store."""
