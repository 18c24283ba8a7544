"""What the user wrote, as frozen types: validated before anything heavy is imported."""
