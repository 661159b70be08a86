"""The built-in sample: composite portraits, so that the whole pipeline runs on a machine that holds no dataset."""
