"""Measurements: what one replication of an engine run counted, mergeable and free of any judgement."""
