"""Training of the model that tells riders' heads: tiles out of the city, a small network, ONNX, a card."""
