"""A report in other forms, each made from its data: text or bytes, written by whoever asked for them."""
