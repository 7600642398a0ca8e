"""Photos, pairs, the plain chain and ourselves, and what is measured of both."""
