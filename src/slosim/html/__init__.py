"""The report as one HTML file that people send to each other. Imported only when it is asked for.

Reads the report's data (the JSON) and nothing else, so the page cannot disagree with it.
"""
