"""Speed, beside reference points of the same run: `make bench`, or `python -m benchmarks NAME`.

Every figure comes with a reference point of the same run on the same machine. Nothing here is a test: a slow machine
fails nothing.
"""
