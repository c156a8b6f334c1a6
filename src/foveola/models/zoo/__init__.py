"""Networks of our own, and the parts that several of them share."""
