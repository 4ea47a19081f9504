"""`python -m local.cli`: the command from a checkout."""

from local.cli.app import main

main()
