"""Sorting without labels: subjects that look alike to the classifier are put into groups."""
