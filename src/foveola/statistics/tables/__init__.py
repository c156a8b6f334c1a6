"""Tables and sentences made of metrics and tests."""
