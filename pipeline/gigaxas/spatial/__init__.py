"""The spatial clean-up and the fill, regions over tiles, statistics of regions, cluster sums, pyramids."""
