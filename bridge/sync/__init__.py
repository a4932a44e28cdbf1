"""The sync core at work: intake folds deliveries into links, the worker takes their steps, the scheduler wakes both."""
