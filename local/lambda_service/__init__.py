"""Lambda in this process: warm workers that run AWS's own runtime client, and SQS event source mappings."""
