"""The report: judges measurements. `content` is the report as data, everything else shows that data."""
