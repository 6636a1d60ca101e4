"""Networks of detectors and rival systems, written here so that only their weights are taken from elsewhere."""
