"""AWS in this process: moto, made true to AWS where it departs from it."""
