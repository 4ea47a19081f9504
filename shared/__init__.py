"""What every function leans on; knows no domain."""
