"""Experiments: answers that need more than one run. Each is a function of scenarios and a `Study`, and its
result is data that can be kept, gone on with, and shown.
"""
