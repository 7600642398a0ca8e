"""Pictures cut into tiles and shuffled: a network that says where each belongs, which is also a start for others."""
