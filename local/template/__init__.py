"""From template.yaml to what the local stack runs: translated, resolved, planned as AWS calls and applied."""
