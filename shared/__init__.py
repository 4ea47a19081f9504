"""What every function leans on; knows no domain."""

from shared.garbage import hold

hold()  # here, since what a function imports of ours comes before what is large
