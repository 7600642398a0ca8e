"""Two ways to train a classifier on the same crops: plain Ultralytics, and cropsort."""
