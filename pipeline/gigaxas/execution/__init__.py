"""Where tasks run: Dask, clusters, the runner, events and the lock; nothing else knows Dask's deployment."""
