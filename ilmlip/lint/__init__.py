"""What is bound to fail, or to be worth nothing, found before anything is computed."""
