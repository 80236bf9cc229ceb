"""The only room that knows Dask's graphs and arrays: kernels joined over tiles."""
