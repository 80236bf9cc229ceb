"""What the units that files name are worth."""

UM = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "micrometer": 1.0, "micron": 1.0, "mm": 1e3, "m": 1e6}
"""Micrometres in each unit of a stage."""
EV = {"ev": 1.0, "kev": 1e3}
"""Electronvolts in each unit of an energy."""
