"""A synthetic city whose every road user, lamp and violation is known: cameras for those who have none."""
