"""Scenario to Program: names become indices, durations seconds, distributions tables, faults timelines."""
