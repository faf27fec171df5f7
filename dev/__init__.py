"""What developers run beside the app; never deployed."""
