"""Speed, beside reference points of the same run: `make bench`, or `python -m benchmarks NAME`.

A figure stands beside its goal, and beside a reference point of the same run on the same machine where there is one. All load
is bounded, ends by itself and goes to this machine only. Nothing here is a test: a slow machine fails nothing.
"""
