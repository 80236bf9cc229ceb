"""Results in a notebook: `result.gigaxas` on every `xarray.Dataset` of maps."""
