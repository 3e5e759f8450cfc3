"""What is in the picture: detector, road users, tracks and signals."""
