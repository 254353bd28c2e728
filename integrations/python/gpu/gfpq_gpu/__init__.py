"""The GPU library of the package gfpq, which finds it here: nothing else is in this package."""
