"""What is known of sessions, the subscriptions to it, and the loop that polls them."""
