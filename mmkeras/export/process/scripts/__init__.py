"""Scripts that `start.ask` runs in processes of their own, each by its path; see there for what they have in common."""
