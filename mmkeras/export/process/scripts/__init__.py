"""Scripts that `start.ask` runs by path in separate processes; `start` documents their interface."""
