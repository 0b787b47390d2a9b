"""Headless execution: parameters checked first, papermill underneath, evidence and a truthful verdict at the end."""
