"""What HTTP calls are answered with."""
