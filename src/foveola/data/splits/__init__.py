"""Which samples are trained, validated and tested on; the samples of a patient stay together."""
