"""The targets: functions whose workers are killed while they work."""
