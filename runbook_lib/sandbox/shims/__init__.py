"""Commands that a child of the sandbox finds on its PATH: aws, docker, sleep and date, made to live in the sandbox."""
