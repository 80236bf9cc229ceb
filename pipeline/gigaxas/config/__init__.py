"""What a run is asked to do: the schema of a configuration, YAML files, and the paths of a run."""
