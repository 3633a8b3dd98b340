"""AWS Lambda: functions, their environments, event source mappings."""
