"""Everything that rules see, on disk: observations of each camera and day, without a picture."""
