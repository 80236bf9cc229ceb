"""From clusters to components: explanations, decisions, non-negative least squares."""
