"""What is known of sessions, who is told, and the loop that polls them."""
