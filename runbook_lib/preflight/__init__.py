"""Preflight: every known way to fail, asked before the release."""
