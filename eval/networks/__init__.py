"""Detector networks, written here so that their weights are the only thing taken from elsewhere."""
