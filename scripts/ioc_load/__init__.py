"""The IOC under load and abuse, with a real broker, a real PostgreSQL and the whole service as a process."""
