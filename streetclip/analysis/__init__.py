"""What explains errors: arrays and tables of finished runs in, findings out."""
