"""The desk: functions that ask each AWS service for something, with the right to it and without."""
