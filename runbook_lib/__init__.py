"""Runbooks that take an ECS Fargate service to blue/green deployments, and operate them."""

__version__ = "0.1.0"
