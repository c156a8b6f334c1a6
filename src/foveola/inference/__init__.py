"""What a fitted model says of new images: predictions, masks, maps and analyses."""
