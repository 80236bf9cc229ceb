"""The order of the stages, one file a verb."""
