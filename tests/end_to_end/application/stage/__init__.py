"""The stage: functions that misbehave as their events ask."""
