"""Where tasks run: Dask, clusters, the runner, events and the lock; the only room that knows them."""
