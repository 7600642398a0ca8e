"""Model, image size and batch that fit the machine at hand."""
