"""The IOC: consumes events, keeps them, and serves an API and a console to those who decide on them."""
