"""Executors: one module for each way of distributing tasks to workers."""
