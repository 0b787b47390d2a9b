"""Takes over a service that was there before the runbooks: reads it, and writes its parameters and its picture."""
