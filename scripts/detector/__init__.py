"""Parts of scripts/train_detector.py: pictures, training, scoring."""
