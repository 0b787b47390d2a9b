"""`docker` as builds use it: a Dockerfile and its context become a content-addressed image, without a daemon."""
