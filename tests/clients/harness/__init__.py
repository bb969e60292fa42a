"""What runs each string of the Connect table by its real client. Standard library only."""
