"""Programs that run beside a function's code, on the function's own interpreter."""
